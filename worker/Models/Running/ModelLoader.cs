using System.Buffers.Binary;
using System.Diagnostics;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Checkpoints.Gguf;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Layers;
using Cluster.Worker.Models.Quantization;
using Cluster.Worker.Models.Sources;

namespace Cluster.Worker.Models.Running;

/// <summary>From a source to a model that runs: configuration, weights, transformer, cache. Called by the worker's commands.</summary>
internal static class ModelLoader
{
    /// <summary>Loads a model on a backend.</summary>
    /// <param name="source">A Hugging Face checkpoint folder, a GGUF file (<see cref="GgufModel"/>), or
    /// <c>synthetic:NAME</c> (<see cref="SyntheticModel"/>).</param>
    /// <param name="backend">Taken over: the returned runner disposes it, and so does a failure here.</param>
    /// <param name="progress">Told after each tensor.</param>
    /// <param name="group">The rank's end of its group, which the backend computes with; null where one device holds the whole model.
    /// Every rank of the group must load the same source with the same options.</param>
    /// <param name="weightsLoaded">Called when the weights are loaded, before the ranks' first operation together. It returns when the
    /// others are as far: their loading may take any time, but from then on silence counts as a loss.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="ModelConfigException">The configuration is wrong or not supported.</exception>
    /// <exception cref="CheckpointFormatException">The weights are broken or are not those the configuration describes.</exception>
    /// <exception cref="NotSupportedException">The backend cannot read a weight's type.</exception>
    /// <exception cref="ArgumentException">The options ask for more than model or memory can hold, the synthetic model is unknown, or the
    /// model cannot be cut for so many ranks.</exception>
    /// <exception cref="RankLostException">Another rank could not load its part.</exception>
    public static LoadedModel Load(
        string source, Backend backend, ModelRunnerOptions options, IProgress<LoadProgress>? progress = null, Communicator? group = null,
        Action? weightsLoaded = null)
    {
        try
        {
            var (config, weights) = Open(source);
            return Build(config, weights, backend, options, progress, group, weightsLoaded);
        }
        catch
        {
            backend.Dispose();
            throw;
        }
    }

    /// <summary>Loads weights that fit a configuration; otherwise as above.</summary>
    public static LoadedModel Load(
        ModelConfig config, WeightSource weights, Backend backend, ModelRunnerOptions options, Communicator? group = null)
    {
        try
        {
            return Build(config, weights, backend, options, progress: null, group, weightsLoaded: null);
        }
        catch
        {
            backend.Dispose();
            throw;
        }
    }

    /// <summary>Reads a source's configuration, and nothing of its weights.</summary>
    public static ModelConfig ConfigOf(string source) =>
        SyntheticModel.IsSource(source) ? SyntheticModel.Find(source).Config
        : GgufModel.PathOf(source) is { } file ? GgufModel.Open(file).Config()
        : Directory.Exists(source) ? ModelConfig.Load(source)
        : throw new DirectoryNotFoundException($"model folder '{source}' does not exist");

    /// <summary>Reads a source's configuration and finds its weights, without loading them.</summary>
    public static (ModelConfig Config, WeightSource Weights) Open(string source)
    {
        if (!SyntheticModel.IsSource(source) && GgufModel.PathOf(source) is { } file)
        {
            var gguf = GgufModel.Open(file);
            var described = gguf.Config();
            return (described, gguf.Weights(described));
        }

        var config = ConfigOf(source);
        return (config,
            SyntheticModel.IsSource(source) ? SyntheticModel.Find(source).Weights()
                : ConsolidatedWeights.Of(Checkpoint.Open(source), config));
    }

    private static LoadedModel Build(
        ModelConfig config, WeightSource source, Backend backend, ModelRunnerOptions options, IProgress<LoadProgress>? progress,
        Communicator? group, Action? weightsLoaded)
    {
        options.Validate();
        QuantizationScheme.Require(options.Quantization, config.Quantization);
        var shard = Shard.Of(config, group);
        var maxLogits = options.MaxLogits ?? options.MaxSequences;
        var availableBytes = (long)(backend.AvailableBytes * options.GpuMemoryUtilization);
        var activationBytes = Activations.Bytes(shard, options.MaxBatchedTokens, maxLogits);
        if (activationBytes > availableBytes)
        {
            throw new ArgumentException(
                $"max-num-batched-tokens {options.MaxBatchedTokens} needs {activationBytes} bytes for intermediate results; the device "
                + $"offers {availableBytes}");
        }

        var clock = Stopwatch.StartNew();
        using var ahead = new ReadAhead(source, progress, group?.Rank ?? 0, group?.Size ?? 1);
        var rounding = WeightRounding.Of(options.Quantization, config.Quantization);
        var quantization = options.RoundsInputs ? config.Quantization : config.Quantization?.WithFloatInputs();
        backend.KeepsInputs = !options.RoundsInputs;
        var weights = new WeightLoader(source, backend, ahead)
        {
            Quantization = quantization,
            Rounding = rounding,
            Ranks = shard.Size,
        };
        var transformer = new Transformer(
            shard, backend, weights, CapacityPlan.WantedLength(config, options), options.MaxBatchedTokens, maxLogits);
        var loaded = (weights.BytesTaken, clock.Elapsed);
        source.Forget();

        // The logits of several ranks come together on the host.
        var sampler = options.SampleOnDevice && shard.IsWhole ? backend.CreateSampler(config.VocabSize, options.MaxSequences) : null;
        activationBytes += sampler?.Bytes ?? 0;
        weightsLoaded?.Invoke();
        var budgetBytes = options.KvCacheBytes ?? availableBytes - weights.ResidentBytes - activationBytes;
        var plan = CapacityPlan.Fit(shard.Config, options, group is null ? budgetBytes : Smallest(budgetBytes, group));
        var runner = new ModelRunner(
            backend, shard, transformer, plan, options.MaxBatchedTokens, options.MaxSequences, maxLogits, sampler,
            options.MaxLengthToCapture);
        return new LoadedModel(config, runner, weights.ResidentBytes, weights.ReplicatedBytes, activationBytes, plan)
        {
            Source = loaded,
            TableBytes = weights.TableBytes,
            WeightFormat = rounding?.Description ?? quantization?.Description ?? "not quantized",
        };
    }

    /// <summary>The smallest of the ranks' values, the same for all: their caches must have the same blocks.</summary>
    private static long Smallest(long value, Communicator group)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        var smallest = value;
        for (var root = 0; root < group.Size; root++)
        {
            BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
            group.Broadcast(bytes, root);
            smallest = Math.Min(smallest, BinaryPrimitives.ReadInt64LittleEndian(bytes));
        }

        return smallest;
    }
}
