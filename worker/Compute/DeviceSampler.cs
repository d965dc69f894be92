using Cluster.Worker.Draws;

namespace Cluster.Worker.Compute;

/// <summary>Chooses tokens where the logits are, by the rules of the engine's sampler: the same token for the same logits, parameters and
/// random number. Made by <see cref="Backend.CreateSampler"/>; called by the model runner.</summary>
internal abstract class DeviceSampler
{
    /// <summary>Device memory it has taken.</summary>
    public abstract long Bytes { get; }

    /// <summary>Enqueues the draws of a step. The batch may be reused when the call returns.</summary>
    /// <param name="logits"><c>[rows, vocabulary]</c>; stay as they are.</param>
    public abstract void Enqueue(Tensor logits, DrawBatch draws);

    /// <summary>Waits for the draws enqueued last and copies what they have given to the host.</summary>
    /// <exception cref="InvalidOperationException">None were enqueued.</exception>
    public abstract void Wait();

    /// <summary>What was last waited for, in the order of the batch.</summary>
    public abstract ReadOnlySpan<DrawResult> Results { get; }
}
