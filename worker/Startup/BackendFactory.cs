using System.Collections.Immutable;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Compute.Ilgpu.Launch.Interpreter;
using Cluster.Worker.Compute.Ilgpu.Launch.OpenCl;
using Cluster.Worker.Models.Parallel;

namespace Cluster.Worker.Startup;

/// <summary>The one place that makes backends from <c>--device</c>: for a model, for each rank of a group, for a draft model, and for
/// <c>verify</c>. A device that is not there is refused here, never replaced by another one.</summary>
internal sealed class BackendFactory
{
    /// <summary>A GPU where there is one, else the CPU.</summary>
    public const string Auto = "auto";

    private const string Cpu = "cpu";
    private const string OpenCl = "opencl";
    private const string Interpreter = "interpreter";

    private readonly DeviceOptions _options;
    private readonly ImmutableArray<OpenClDevice> _gpus;

    private BackendFactory(DeviceOptions options, ImmutableArray<OpenClDevice> gpus, int threads, long memoryBytes)
    {
        _options = options;
        _gpus = gpus;
        Threads = threads;
        MemoryBytes = memoryBytes;
        Device = options.Name == Auto ? (gpus.IsEmpty ? Cpu : OpenCl) : options.Name;
    }

    /// <summary>The values of <c>--device</c>, the default first.</summary>
    public static IReadOnlyList<string> Devices { get; } = [Auto, Cpu, "hip", "cuda", OpenCl, Interpreter];

    /// <summary>What all ranks run on: never <see cref="Auto"/>.</summary>
    public string Device { get; }

    /// <summary>Processor threads of one rank: at least one, even if there are more ranks than processors.</summary>
    public int Threads { get; }

    /// <summary>Memory of one rank, in bytes, where it is the machine's. A GPU has its own.</summary>
    public long MemoryBytes { get; }

    /// <summary>Type that <c>--kv-cache-dtype auto</c> means: on the CPU what it computes in, on other devices the model's own.</summary>
    /// <param name="stored">The checkpoint's type; null if it does not say.</param>
    public DType AutoCacheDType(DType? stored) => Device == Cpu ? DType.F32 : stored is DType.F16 or DType.BF16 ? stored.Value : DType.F32;

    /// <summary>Why this build cannot run on a device; null if it may.</summary>
    public static string? WhyNot(string device) => device is "hip" or "cuda"
        ? $"this build has no {device} launcher; it has {Cpu}, {OpenCl} and {Interpreter}"
        : null;

    /// <summary>Divides the machine among the ranks of a replica.</summary>
    /// <exception cref="StartupException">There is no such device, or too few of them.</exception>
    public static BackendFactory For(DeviceOptions options, int ranks = 1)
    {
        var machine = new CpuOptions();
        return Make(options, ranks, Math.Max(1, (options.CpuThreads ?? machine.Threads) / ranks), machine.MemoryBytes / ranks);
    }

    /// <summary>As rank 0 has divided it.</summary>
    /// <exception cref="StartupException">There is no such device.</exception>
    public static BackendFactory For(RankSetup setup) => Make(new DeviceOptions(setup.Device), 1, setup.Threads, setup.MemoryBytes);

    /// <summary>The CPU with other limits, for benchmarks whose contestants must have equal shares.</summary>
    public static BackendFactory OfShare(int threads, long memoryBytes) => new(new DeviceOptions(Cpu), [], threads, memoryBytes);

    /// <param name="communicator">This rank's end of its group; null when one device holds the whole model. Not owned.</param>
    /// <exception cref="StartupException">The device lacks what kernels need, or its driver fails.</exception>
    public Backend Create(Communicator? communicator = null)
    {
        if (Device == Cpu)
        {
            return CpuBackend.Create(new CpuOptions { Threads = Threads, MemoryBytes = MemoryBytes, Communicator = communicator });
        }

        IKernelLauncher? launcher = null;
        try
        {
            launcher = Device == Interpreter
                ? new InterpreterLauncher(MemoryBytes)
                : new OpenClLauncher(_gpus[_gpus.Length > 1 ? communicator?.Rank ?? 0 : 0], KernelCache.OfEnvironment());
            var isShared = !launcher.Device.IsGpu;
            return new IlgpuBackend(
                launcher, new IlgpuOptions { MemoryBytes = isShared ? MemoryBytes : null, Communicator = communicator });
        }
        catch (Exception exception) when (exception is NotSupportedException or InvalidOperationException or KernelBuildException)
        {
            launcher?.Dispose();
            throw new StartupException($"--device {_options.Name}: {exception.Message}", exception);
        }
    }

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

    private static BackendFactory Make(DeviceOptions options, int ranks, int threads, long memoryBytes)
    {
        if (WhyNot(options.Name) is { } reason)
        {
            throw new StartupException($"--device {options.Name}: {reason}");
        }

        var devices = options.Name is Auto or OpenCl ? OpenClDevice.All() : [];
        var gpus = devices.Where(device => device.Description.IsGpu).ToImmutableArray();

        // A processor that pretends to be a device is shared by all ranks, as the CPU is; only who asks for it by name gets it.
        var chosen = gpus.IsEmpty && options.Name == OpenCl ? [.. devices.Take(1)] : gpus;
        if (options.Name == OpenCl && chosen.IsEmpty)
        {
            throw new StartupException(
                "--device opencl: no OpenCL device is visible; "
                + (OpenClApi.Find() is null
                    ? "libOpenCL.so.1 is not installed (package ocl-icd-libopencl1)"
                    : $"is a driver installed (see OCL_ICD_VENDORS, /etc/OpenCL/vendors and {VisibleDevices.Variable})?"));
        }

        if (!gpus.IsEmpty && gpus.Length < ranks)
        {
            throw new StartupException(
                $"--tensor-parallel-size {ranks} needs {ranks} devices, but {gpus.Length} are visible: "
                + string.Join(", ", gpus.Select(gpu => gpu.Description.Name)));
        }

        return new BackendFactory(options, chosen, threads, memoryBytes);
    }
}
