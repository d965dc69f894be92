using System.Collections.Immutable;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Parallel;

/// <summary>A model spread over ranks that are threads of this process. Made for <c>worker verify</c> and for tests; a replica that serves
/// has a process a rank.</summary>
/// <param name="Ranks">What each rank holds, rank 0 first.</param>
/// <param name="Runner">Runs all of them; disposing it frees every rank's device.</param>
internal sealed record TensorParallelModel(ImmutableArray<LoadedModel> Ranks, TensorParallelRunner Runner) : IDisposable
{
    public ModelConfig Config => Ranks[0].Config;

    /// <summary>Loads every rank's part at the same time.</summary>
    /// <param name="weights">Read by all ranks.</param>
    /// <param name="group">An end for each rank; disposed with the model, or by a failure here.</param>
    /// <param name="createBackend">Makes the device of the rank whose end is given; called on the rank's thread.</param>
    /// <exception cref="ArgumentException">The model cannot be cut for so many ranks, or does not fit their memory.</exception>
    /// <exception cref="CheckpointFormatException">A rank's part of the weights is broken.</exception>
    public static TensorParallelModel Load(
        ModelConfig config, WeightSource weights, IReadOnlyList<Communicator> group, Func<Communicator, Backend> createBackend,
        ModelRunnerOptions options)
    {
        var ranks = new LoadedModel?[group.Count];
        var failures = new Exception?[group.Count];
        var threads = group.Select(end => new Thread(() => LoadRank(end)) { IsBackground = true, Name = $"rank {end.Rank}" }).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        if (failures.Any(failure => failure is not null))
        {
            for (var rank = 0; rank < ranks.Length; rank++)
            {
                ranks[rank]?.Dispose();
                group[rank].Dispose();
            }

            TensorParallelRunner.ThrowCause([.. failures.OfType<Exception>()]);
        }

        return new TensorParallelModel(
            [.. ranks.Select(rank => rank!)], new TensorParallelRunner([.. ranks.Select(rank => rank!.Runner)], group));

        void LoadRank(Communicator end)
        {
            try
            {
                ranks[end.Rank] = ModelLoader.Load(config, weights, createBackend(end), options, end);
            }
            catch (Exception exception)
            {
                failures[end.Rank] = exception;
                end.Dispose();
            }
        }
    }

    public void Dispose() => Runner.Dispose();
}
