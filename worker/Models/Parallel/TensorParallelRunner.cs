using System.Collections.Immutable;
using System.Runtime.ExceptionServices;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Parallel;

/// <summary>Runs every step on all ranks of a group at once, each on a thread of its own, and returns the logits of rank 0. Made by
/// <see cref="TensorParallelModel"/>; called by the engine's thread.</summary>
internal sealed class TensorParallelRunner : DelegatingRunner
{
    private readonly ImmutableArray<BackgroundRunner> _ranks;

    /// <param name="runners">Of rank 0 first; disposed here.</param>
    /// <param name="group">Each rank's end, given up when its rank fails, so that the others do not wait for it.</param>
    public TensorParallelRunner(IReadOnlyList<IModelRunner> runners, IReadOnlyList<Communicator> group)
        : base(runners[0])
    {
        _ranks = [.. runners.Zip(group, (runner, end) => new BackgroundRunner(new RankRunner(runner, end)))];
    }

    public override bool RunsInBackground => true;

    public override void Launch(StepBatch batch)
    {
        foreach (var rank in _ranks)
        {
            rank.Launch(batch);
        }
    }

    /// <remarks>What went wrong in the step is thrown here: the failure of a rank rather than the others' complaint that it is
    /// gone.</remarks>
    public override ReadOnlySpan<float> WaitForLogits()
    {
        var failures = new List<Exception>();
        foreach (var rank in _ranks)
        {
            if (rank.WaitForFailure() is { } failure)
            {
                failures.Add(failure);
            }
        }

        ThrowCause(failures);
        return _ranks[0].WaitForLogits();
    }

    public override void Dispose()
    {
        foreach (var rank in _ranks)
        {
            rank.Dispose();
        }
    }

    /// <summary>Throws what went wrong first: a rank's failure, rather than what the others say when it is gone. Does nothing when nothing
    /// failed.</summary>
    public static void ThrowCause(IReadOnlyCollection<Exception> failures)
    {
        if ((failures.FirstOrDefault(failure => failure is not RankLostException) ?? failures.FirstOrDefault()) is { } cause)
        {
            ExceptionDispatchInfo.Throw(cause);
        }
    }
}
