using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Models.Parallel;

namespace Cluster.Worker.Startup;

/// <summary>The one place that makes backends from <c>--device</c>: for a model, for each rank of a group, for a draft model, and for
/// <c>verify</c>. A device that this build lacks is refused here, never replaced by another one.</summary>
internal sealed class BackendFactory
{
    /// <summary>The best device that this build has.</summary>
    public const string Auto = "auto";

    private const string Cpu = "cpu";

    private readonly DeviceOptions _options;
    private readonly CpuOptions _cpu;

    private BackendFactory(DeviceOptions options, int threads, long memoryBytes)
    {
        if (WhyNot(options.Name) is { } reason)
        {
            throw new StartupException($"--device {options.Name}: {reason}");
        }

        _options = options;
        _cpu = new CpuOptions { Threads = threads, MemoryBytes = memoryBytes };
    }

    /// <summary>The values of <c>--device</c>, the default first.</summary>
    public static IReadOnlyList<string> Devices { get; } = [Auto, Cpu, "hip", "cuda", "opencl", "interpreter"];

    /// <summary>What other ranks are told, so that all run on the same device.</summary>
    public string Device => Cpu;

    /// <summary>Processor threads of one rank: at least one, even if there are more ranks than processors.</summary>
    public int Threads => _cpu.Threads;

    /// <summary>Memory of one rank, in bytes.</summary>
    public long MemoryBytes => _cpu.MemoryBytes;

    /// <summary>Why this build cannot run on a device; null if it can.</summary>
    public static string? WhyNot(string device) =>
        device is Auto or Cpu ? null : $"this build has no {device} backend; it has {Cpu}, which {Auto} takes";

    /// <summary>Divides the machine among the ranks of a replica.</summary>
    /// <exception cref="StartupException">This build lacks the device.</exception>
    public static BackendFactory For(DeviceOptions options, int ranks = 1)
    {
        var machine = new CpuOptions();
        return new BackendFactory(options, Math.Max(1, (options.CpuThreads ?? machine.Threads) / ranks), machine.MemoryBytes / ranks);
    }

    /// <summary>As rank 0 has divided it.</summary>
    /// <exception cref="StartupException">This build lacks the device.</exception>
    public static BackendFactory For(RankSetup setup) => new(new DeviceOptions(setup.Device), setup.Threads, setup.MemoryBytes);

    /// <summary>The same device with other limits, for benchmarks whose contestants must have equal shares.</summary>
    public static BackendFactory OfShare(int threads, long memoryBytes) => new(new DeviceOptions(), threads, memoryBytes);

    /// <param name="communicator">This rank's end of its group; null when one device holds the whole model. Not owned.</param>
    public Backend Create(Communicator? communicator = null) => CpuBackend.Create(_cpu with { Communicator = communicator });

    /// <summary>For the start log: what <c>--dtype</c> comes to on this device, and which options have no effect on it.</summary>
    /// <param name="requested">The value of <c>--dtype</c>; null for <c>auto</c>.</param>
    /// <param name="stored">The checkpoint's type; null if it does not say.</param>
    public IEnumerable<string> Remarks(DType? requested, DType? stored)
    {
        yield return $"dtype {requested?.Name() ?? Auto}: weights as stored ({stored?.Name() ?? "type not in config.json"}), "
            + "activations float32";
        if (_options.EnforceEager)
        {
            yield return $"--enforce-eager has no effect on {Device}: it captures no graphs";
        }

        if (_options.MaxSeqLenToCapture is { } length)
        {
            yield return $"--max-seq-len-to-capture {length} has no effect on {Device}: it captures no graphs";
        }
    }
}
