namespace Cluster.Worker.Models;

/// <summary>Loads weights that fit a configuration, on whatever devices. Given to <see cref="GoldenVerification"/>, which tries several configurations.</summary>
internal delegate IModelRunner RunnerLoader(ModelConfig config, WeightSource weights, ModelRunnerOptions options);
