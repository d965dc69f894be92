using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Parallel;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Tests.Models.Parallel;

/// <summary>Models on several ranks of one thread each.</summary>
internal static class CpuRanks
{
    /// <summary>Far longer than anything takes on a machine that is busy with other tests.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(2);

    public static IReadOnlyList<Communicator> Group(int size) => ThreadCommunicator.CreateGroup(size, Timeout);

    public static TensorParallelModel Load(string folder, int size, ModelRunnerOptions options)
    {
        var (config, weights) = ModelLoader.Open(folder);
        return Load(config, weights, size, options);
    }

    public static TensorParallelModel Load(ModelConfig config, WeightSource weights, int size, ModelRunnerOptions options) =>
        TensorParallelModel.Load(
        config, weights, Group(size), end => CpuBackend.Create(new CpuOptions { Threads = 1, MemoryBytes = 1L << 30, Communicator = end }),
        options);
}
