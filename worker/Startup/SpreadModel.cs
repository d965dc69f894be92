using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Models.Layers;
using Cluster.Worker.Models.Parallel;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Startup;

/// <summary>A model on as many ranks as were asked for: this process alone, or rank 0 with the others started. Loaded for
/// <see cref="ReplicaModel"/>.</summary>
/// <param name="Target">The model; with several ranks, this process' part of it.</param>
/// <param name="Backend">What this process computes on.</param>
/// <param name="Runner">Runs the whole model. Owns it, and the other ranks.</param>
/// <param name="Ranks">The other ranks; null when there are none.</param>
/// <param name="DraftBackend">Gives the backend for a draft model, which is too small to be spread: a group's own would expect the other
/// ranks to take part.</param>
internal sealed record SpreadModel(LoadedModel Target, Backend Backend, IModelRunner Runner, RankGroup? Ranks, Func<Backend> DraftBackend)
{
    /// <summary>Messages within the time after which silence counts as a loss.</summary>
    private const int PulsesInTimeout = 4;

    /// <param name="source">A folder, or a synthetic model.</param>
    /// <param name="options">Of the replica; its ranks share the KV cache.</param>
    /// <param name="backends">Makes the device of one rank.</param>
    /// <param name="log">What to tell, also of the other ranks: one line a fact.</param>
    /// <exception cref="ArgumentException">The options do not fit the model or the machine.</exception>
    /// <exception cref="RankLostException">Another rank could not load its part; the message says which and why.</exception>
    public static SpreadModel Load(
        string source, ModelRunnerOptions options, RankOptions parallel, BackendFactory backends, IProgress<LoadProgress>? progress,
        Action<string> log)
    {
        if (parallel.Size == 1)
        {
            var backend = backends.Create();
            var tune = backends.Tune(backend, rank: 0, options.MaxBatchedTokens, log);
            var alone = ModelLoader.Load(source, backend, options, progress, weightsLoaded: tune);
            return new SpreadModel(alone, backend, alone.Runner, null, () => backend);
        }

        if (parallel.Devices is { } devices)
        {
            RankDevice.Take(devices[0]);
        }

        // Each rank caches its own key/value heads.
        options = options with { KvCacheBytes = options.KvCacheBytes / parallel.Size };
        var file = SharedMemoryCommunicator.NewPath();
        var setup = new RankSetup(
            SharedMemoryOptions.ThisBuild, 0, parallel.Size, file, parallel.Timeout.TotalSeconds, source, backends.Device, backends.Threads,
            backends.MemoryBytes, options)
        {
            DType = backends.AskedDType,
        };
        var ranks = RankGroup.Start(RankProgram.Own, setup, parallel.Devices, log);
        Communicator? communicator = null;
        try
        {
            communicator = SharedMemoryCommunicator.Join(
                file, 0, parallel.Size, new SharedMemoryOptions { Timeout = parallel.Timeout, CanJoin = () => ranks.Loss is null });
            var backend = backends.Create(communicator);
            var tune = backends.Tune(backend, rank: 0, options.MaxBatchedTokens, log);
            var target = ModelLoader.Load(
                source, backend, options, new WatchfulProgress(ranks, progress), communicator,
                tune + ranks.Begin);
            Rendezvous.Meet(communicator);
            var runner = new LeadingRunner(target.Runner, communicator, ranks, parallel.Timeout / PulsesInTimeout, TimeProvider.System);
            return new SpreadModel(target, backend, runner, ranks, () => backends.Create());
        }
        catch (Exception exception)
        {
            var loss = exception is RankLostException lost ? ranks.Report(lost) : null;
            ranks.Dispose();
            communicator?.Dispose();
            if (loss is not null)
            {
                throw loss;
            }

            throw;
        }
    }
}
