using System.CommandLine;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu;

namespace Cluster.Worker.Commands;

/// <summary>How a model is spread over ranks and what each has of the machine. Read from <see cref="EngineFlags"/>; used by <see cref="ParallelModel"/>.</summary>
/// <param name="Size">Ranks.</param>
/// <param name="Devices">One for each rank, from <see cref="VisibleDevices.Variable"/>; null where it is not set.</param>
/// <param name="Timeout">Silence after which a rank is taken for lost.</param>
/// <param name="Threads">Threads of a rank: at least one, though ranks outnumber processors.</param>
/// <param name="MemoryBytes">Memory of a rank.</param>
internal sealed record RankOptions(int Size, IReadOnlyList<string>? Devices, TimeSpan Timeout, int Threads, long MemoryBytes)
{
    /// <exception cref="FormatException">There are not as many devices as ranks.</exception>
    public static RankOptions Read(EngineFlags flags, ParseResult arguments)
    {
        var size = arguments.GetValue(flags.TensorParallelSize);
        var visible = Environment.GetEnvironmentVariable(VisibleDevices.Variable);
        var machine = new CpuOptions();
        return new RankOptions(
            size,
            visible is null ? null : VisibleDevices.Require(visible, size, () => []),
            TimeSpan.FromSeconds(arguments.GetValue(flags.DistributedTimeout)),
            Math.Max(1, (arguments.GetValue(flags.CpuThreads) ?? machine.Threads) / size),
            machine.MemoryBytes / size);
    }
}
