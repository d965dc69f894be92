using Cluster.Worker.Compute;
using Cluster.Worker.Models.Quantization;

namespace Cluster.Worker.Models;

/// <summary>From a source to a model that runs: configuration, weights, transformer, cache. Called by the worker's commands.</summary>
internal static class ModelLoader
{
    /// <summary>Loads a model on a backend.</summary>
    /// <param name="source">A Hugging Face checkpoint folder, or <c>synthetic:NAME</c> (<see cref="SyntheticModel"/>).</param>
    /// <param name="backend">Taken over: the returned runner disposes it, and so does a failure here.</param>
    /// <param name="progress">Told after each tensor.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="ModelConfigException">The configuration is wrong or not supported.</exception>
    /// <exception cref="CheckpointFormatException">The weights are broken or are not those the configuration describes.</exception>
    /// <exception cref="NotSupportedException">The backend cannot read a weight's type.</exception>
    /// <exception cref="ArgumentException">The options ask for more than model or memory can hold, or the synthetic model is unknown.</exception>
    public static LoadedModel Load(string source, Backend backend, ModelRunnerOptions options, IProgress<LoadProgress>? progress = null)
    {
        try
        {
            var (config, weights) = Open(source);
            return Build(config, weights, backend, options, progress);
        }
        catch
        {
            backend.Dispose();
            throw;
        }
    }

    /// <summary>Loads weights that fit a configuration; otherwise as above.</summary>
    public static LoadedModel Load(ModelConfig config, WeightSource weights, Backend backend, ModelRunnerOptions options)
    {
        try
        {
            return Build(config, weights, backend, options, progress: null);
        }
        catch
        {
            backend.Dispose();
            throw;
        }
    }

    /// <summary>Reads a source's configuration and finds its weights, without loading them.</summary>
    public static (ModelConfig Config, WeightSource Weights) Open(string source)
    {
        if (SyntheticModel.IsSource(source))
        {
            var synthetic = SyntheticModel.Find(source);
            return (synthetic.Config, synthetic.Weights());
        }

        return Directory.Exists(source)
            ? (ModelConfig.Load(source), Checkpoint.Open(source))
            : throw new DirectoryNotFoundException($"model folder '{source}' does not exist");
    }

    private static LoadedModel Build(ModelConfig config, WeightSource source, Backend backend, ModelRunnerOptions options, IProgress<LoadProgress>? progress)
    {
        options.Validate();
        QuantizationScheme.Require(options.Quantization, config.Quantization);
        var maxLogits = options.MaxLogits ?? options.MaxSequences;
        var availableBytes = (long)(backend.AvailableBytes * options.GpuMemoryUtilization);
        var activationBytes = Activations.Bytes(config, options.MaxBatchedTokens, maxLogits);
        if (activationBytes > availableBytes)
        {
            throw new ArgumentException(
                $"max-num-batched-tokens {options.MaxBatchedTokens} needs {activationBytes} bytes for intermediate results; the device offers {availableBytes}");
        }

        var weights = new WeightLoader(source, backend, progress) { Quantization = config.Quantization };
        var transformer = new Transformer(
            config, backend, weights, CapacityPlan.WantedLength(config, options), options.MaxBatchedTokens, maxLogits);

        var plan = CapacityPlan.Fit(config, options, options.KvCacheBytes ?? availableBytes - weights.ResidentBytes - activationBytes);
        var runner = new ModelRunner(backend, config, transformer, plan, options.MaxBatchedTokens, options.MaxSequences, maxLogits);
        return new LoadedModel(config, runner, weights.ResidentBytes, activationBytes, plan);
    }
}
