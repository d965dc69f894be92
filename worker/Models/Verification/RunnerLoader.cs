using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Verification;

/// <summary>Loads weights that fit a configuration, on whatever devices. Given to <see cref="GoldenVerification"/>, which tries several
/// configurations.</summary>
internal delegate IModelRunner RunnerLoader(ModelConfig config, WeightSource weights, ModelRunnerOptions options);
