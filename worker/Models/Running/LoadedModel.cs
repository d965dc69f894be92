using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Running;

/// <summary>A model ready to run.</summary>
/// <param name="Runner">Owns the backend; disposing it frees the device.</param>
/// <param name="ResidentWeightBytes">Device memory that weights keep; of several ranks, this one's.</param>
/// <param name="ReplicatedWeightBytes">What other ranks keep as well of it.</param>
/// <param name="ActivationBytes">Device memory for intermediate results.</param>
/// <param name="Capacity">Longest sequence and KV cache.</param>
internal sealed record LoadedModel(
    ModelConfig Config, ModelRunner Runner, long ResidentWeightBytes, long ReplicatedWeightBytes, long ActivationBytes,
    CapacityPlan Capacity) : IDisposable
{
    /// <summary>Bytes of the source that were taken, and how long it took until they were where they belong.</summary>
    public (long Bytes, TimeSpan Time) Source { get; init; }

    /// <summary>What tables of embeddings keep of <see cref="ResidentWeightBytes"/>, of which a step reads a row a token.</summary>
    public long TableBytes { get; init; }

    /// <summary>How the weights of layers are kept, for the start log.</summary>
    public required string WeightFormat { get; init; }

    /// <summary>What a rank of a group says when it has loaded its part.</summary>
    public string Describe(int rank, int size) =>
        $"rank {rank} of {size}: {ResidentWeightBytes} bytes of weights resident, {ReplicatedWeightBytes} of them on other ranks too; "
        + $"KV heads: {Capacity.Cache.KvHeads}; {Capacity}";

    public void Dispose() => Runner.Dispose();
}
