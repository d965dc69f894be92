using System.Globalization;
using Cluster.Worker.Compute;
using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Speculation;
using Cluster.Worker.Models.Layers;
using Cluster.Worker.Models.Parallel;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Startup;

/// <summary>The model an engine runs, and what guesses its tokens ahead, in one share of the memory. Loaded for <see cref="TextEngine"/>
/// and for benchmarks, whose models may have no tokenizer.</summary>
/// <param name="Target">The model; with several ranks, this process' part of it.</param>
/// <param name="Runner">Runs the whole model. Owns it, and the other ranks.</param>
/// <param name="Ranks">The other ranks; null when there are none.</param>
/// <param name="Proposer">Null without speculation.</param>
/// <param name="Devices">What each rank computes on.</param>
internal sealed record ReplicaModel(
    LoadedModel Target, IModelRunner Runner, RankGroup? Ranks, IDraftProposer? Proposer, IReadOnlyList<string> Devices)
{
    /// <summary>What this process computes on.</summary>
    public (string Description, bool IsGpu) Device { get; private init; }

    /// <param name="tokenizer">The model's; null where it has none.</param>
    /// <param name="log">What to tell: one line per fact, as in vLLM's start log.</param>
    /// <exception cref="ArgumentException">The options do not fit the model or the machine.</exception>
    /// <exception cref="StartupException">This build lacks the device, or the device has not the memory.</exception>
    public static ReplicaModel Load(
        StartupOptions startup, ModelFolders folders, Tokenizer? tokenizer, IProgress<LoadProgress>? progress, Action<string> log)
    {
        try
        {
            return LoadParts(startup, folders, tokenizer, progress, log);
        }
        catch (InsufficientMemoryException exception)
        {
            throw new StartupException(
                $"model {folders.Model} does not fit the device: {exception.Message}; more ranks (--tensor-parallel-size) or a quantized "
                + "checkpoint take less on each",
                exception);
        }
    }

    /// <summary>Starts an engine, which owns the model from then on.</summary>
    /// <param name="runner">Stands for <see cref="Runner"/>, which it owns; null for the runner itself.</param>
    /// <param name="observer">Is told of latencies and ended requests.</param>
    /// <param name="endOfSequence">The tokenizer's token for it, which need not be among the model's.</param>
    /// <exception cref="ArgumentException">The options do not fit the model.</exception>
    public LlmEngine StartEngine(
        ITokenizer tokenizer, EngineOptions options, IModelRunner? runner = null, IEngineObserver? observer = null,
        int? endOfSequence = null) => new(
        new BackgroundRunner(runner ?? Runner), tokenizer,
        options with
        {
            EosTokenIds = [
                .. Target.Config.EosTokenIds.Concat(options.EosTokenIds).Concat(((int?[])[endOfSequence]).OfType<int>()).Distinct()],
        },
        TimeProvider.System, Proposer, observer);

    private static ReplicaModel LoadParts(
        StartupOptions startup, ModelFolders folders, Tokenizer? tokenizer, IProgress<LoadProgress>? progress, Action<string> log)
    {
        var source = folders.Model;
        var backends = BackendFactory.For(startup.Device, startup.Ranks.Size);
        var config = ModelLoader.ConfigOf(source);
        var options = startup.Runner with
        {
            KvCacheDType = backends.CacheDType(config.DType),
            RoundsInputs = backends.AskedDType != DType.F32,
        };
        if (startup.StepHoldsLongest)
        {
            options = options with { MaxBatchedTokens = Math.Max(options.MaxBatchedTokens, CapacityPlan.WantedLength(config, options)) };
        }
        else if (!startup.Engine.EnableChunkedPrefill && options.MaxModelLength is null && options.MaxBatchedTokens < config.MaxLength)
        {
            // Nobody asked for a length, so it is the one that works.
            options = options with { MaxModelLength = options.MaxBatchedTokens };
            log($"without chunked prefill a prompt has to fit into one step: sequences have up to {options.MaxBatchedTokens} tokens; for "
                + "longer ones raise --max-num-batched-tokens");
        }

        var draftShare = DraftModel.MemoryShare(source, folders.Draft);
        var targetOptions = options with
        {
            GpuMemoryUtilization = options.GpuMemoryUtilization * (1 - draftShare),
            MaxLogits = Math.Min(options.MaxBatchedTokens, options.MaxSequences * (1 + (startup.Draft?.NumTokens ?? 0))),
        };
        var loaded = SpreadModel.Load(source, targetOptions, startup.Ranks, backends, progress, log);
        var (target, backend) = (loaded.Target, loaded.Backend);
        try
        {
            log($"model {source}: {target.Config.Architecture.Name}, {target.Config.NumLayers} layers, "
                + $"vocabulary {target.Config.VocabSize}");
            log($"device {backend.Description}; weights {target.ResidentWeightBytes / 1048576.0:F1} MiB resident, {target.WeightFormat}");
            var (bytes, time) = target.Source;
            log(string.Create(
                CultureInfo.InvariantCulture,
                $"weights: {bytes * 1e-9:F2} GB taken in {time.TotalSeconds:F2} s, {bytes * 1e-9 / time.TotalSeconds:F2} GB/s"));
            foreach (var remark in backends.Remarks(target.Config.DType))
            {
                log(remark);
            }

            log(target.Capacity.ToString());
            if (!backends.IsCpu)
            {
                // As vLLM prints it, for scripts that read the number there.
                log($"# GPU blocks: {target.Capacity.Cache.NumBlocks}, # CPU blocks: 0");
            }

            var draftOptions = options with
            {
                GpuMemoryUtilization = options.GpuMemoryUtilization * draftShare,
                SampleOnDevice = false,
                Quantization = WorkerFlags.Auto,
            };
            var proposer = DraftModel.Load(startup.Draft, folders.Draft, target, tokenizer, loaded.DraftBackend, draftOptions, log);
            if (proposer is not null)
            {
                log($"speculative decoding: {startup.Draft!.NumTokens} tokens per step by {proposer.Description}");
            }

            return new ReplicaModel(target, loaded.Runner, loaded.Ranks, proposer, backends.Titles)
            {
                Device = (backend.Description, backends.HasGpus),
            };
        }
        catch
        {
            loaded.Runner.Dispose();
            throw;
        }
    }
}
