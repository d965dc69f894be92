using System.Collections.Immutable;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Compute.Ilgpu.Launch.Interpreter;
using Cluster.Worker.Compute.Ilgpu.Launch.OpenCl;
using Cluster.Worker.Compute.Profiling;
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
    private readonly int _ranks;

    private BackendFactory(DeviceOptions options, ImmutableArray<OpenClDevice> gpus, int ranks, int threads, long memoryBytes)
    {
        _options = options;
        _gpus = gpus;
        _ranks = ranks;
        Threads = threads;
        MemoryBytes = memoryBytes;
        Device = options.Name == Auto ? (gpus.IsEmpty ? Cpu : OpenCl) : options.Name;
    }

    /// <summary>The values of <c>--device</c>, the default first.</summary>
    public static IReadOnlyList<string> Devices { get; } = [Auto, Cpu, "hip", "cuda", OpenCl, Interpreter];

    /// <summary>What all ranks run on: never <see cref="Auto"/>.</summary>
    public string Device { get; }

    /// <summary>What each rank computes on: a GPU's UUID, or its name where the driver tells none; else the device they share.</summary>
    public IReadOnlyList<string> Titles => [.. Enumerable.Range(0, _ranks).Select(TitleOf)];

    /// <summary>Processor threads of one rank: at least one, even if there are more ranks than processors.</summary>
    public int Threads { get; }

    /// <summary>Memory of one rank, in bytes, where it is the machine's. A GPU has its own.</summary>
    public long MemoryBytes { get; }

    /// <summary>Whether <see cref="Device"/> is the processor with kernels of its own.</summary>
    public bool IsCpu => Device == Cpu;

    /// <summary>What activations were asked for in; null for no wish.</summary>
    public DType? AskedDType => _options.DType;

    /// <summary>Element type of the KV cache. <c>auto</c> is the model's own.</summary>
    /// <param name="stored">The checkpoint's type; null if it does not say.</param>
    public DType CacheDType(DType? stored) => _options.KvCacheDType ?? (stored is DType.F16 or DType.BF16 ? stored.Value : DType.F32);

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
    public static BackendFactory For(RankSetup setup) => Make(
        new DeviceOptions(setup.Device)
        {
            DType = setup.DType,
            Tuning = TunableOp.OfEnvironment(Environment.GetEnvironmentVariable),
        },
        1, setup.Threads, setup.MemoryBytes);

    /// <summary>The CPU with other limits, for benchmarks whose contestants must have equal shares.</summary>
    public static BackendFactory OfShare(int threads, long memoryBytes) => new(new DeviceOptions(Cpu), [], ranks: 1, threads, memoryBytes);

    /// <param name="communicator">This rank's end of its group; null when one device holds the whole model. Not owned.</param>
    /// <exception cref="StartupException">The device lacks what kernels need, or its driver fails.</exception>
    public Backend Create(Communicator? communicator = null)
    {
        if (IsCpu)
        {
            var cpu = CpuBackend.Create(new CpuOptions { Threads = Threads, MemoryBytes = MemoryBytes, Communicator = communicator });
            return _options.Profile is { } cpuProfile ? new ProfilingBackend(cpu, cpuProfile, launches: null, wait: null) : cpu;
        }

        IKernelLauncher? launcher = null;
        try
        {
            launcher = Device == Interpreter
                ? new InterpreterLauncher(MemoryBytes)
                : new OpenClLauncher(DeviceOf(communicator?.Rank ?? 0), KernelCache.OfEnvironment());
            var options = new IlgpuOptions
            {
                MemoryBytes = launcher.Device.IsGpu ? null : MemoryBytes,
                Communicator = communicator,
                RoundsActivations = AsksFor16Bits,
            };
            if (_options.Profile is not { } profile)
            {
                return new IlgpuBackend(launcher, options);
            }

            var counting = new CountingLauncher(launcher);
            launcher = counting;
            return new ProfilingBackend(new IlgpuBackend(counting, options), profile, () => counting.Launches, counting.Synchronize);
        }
        catch (Exception exception) when (exception is NotSupportedException or InvalidOperationException or KernelBuildException)
        {
            launcher?.Dispose();
            throw new StartupException($"--device {_options.Name}: {exception.Message}", exception);
        }
    }

    /// <summary>Gives a backend that <see cref="Create"/> has made the tuned multiplications of its device.</summary>
    /// <returns>What to do when the model's weights are loaded: tune what is missing. Null where nothing is tuned.</returns>
    public Action? Tune(Backend backend, int rank, int mostRows, Action<string> log)
    {
        if (_options.Tuning is not { } tuning)
        {
            return null;
        }

        tuning.Load(backend, rank, log);
        return () => tuning.Tune(backend, rank, mostRows, log);
    }

    /// <summary>For the start log: what <c>--dtype</c> comes to on this device, and which options have no effect on it.</summary>
    /// <param name="stored">The checkpoint's type; null if it does not say.</param>
    public IEnumerable<string> Remarks(DType? stored)
    {
        var weights = stored?.Name() ?? "type not in config.json";
        if (AsksFor16Bits && _gpus.Any(gpu => gpu.HasMatrixCores))
        {
            yield return $"dtype {_options.DType?.Name()}: weights as stored ({weights}), inputs of 16-bit weights rounded to their type";
        }
        else
        {
            yield return _options.DType is { } asked && asked != stored
                ? $"dtype {asked.Name()} asked for: weights stay as stored ({weights}), activations float32"
                : $"dtype {_options.DType?.Name() ?? Auto}: weights as stored ({weights}), activations float32";
        }

        if (HasGpus)
        {
            yield return string.Join(
                "; ", Enumerable.Range(0, _ranks).Select(rank => $"rank {rank} computes on {DeviceOf(rank).Description.Title}"));
        }

        if (_options.EnforceEager)
        {
            yield return $"--enforce-eager has no effect on {Device}: it captures no graphs";
        }

        if (_options.MaxSeqLenToCapture is { } length)
        {
            yield return $"--max-seq-len-to-capture {length} has no effect on {Device}: it captures no graphs";
        }
    }

    /// <summary>Whether <see cref="Device"/> is no processor in disguise.</summary>
    public bool HasGpus => _gpus.Any(gpu => gpu.Description.IsGpu);

    private bool AsksFor16Bits => _options.DType is DType.F16 or DType.BF16;

    private string TitleOf(int rank) => HasGpus ? DeviceOf(rank).Description.Uuid ?? DeviceOf(rank).Description.Name : Device;

    /// <summary>Of several devices each rank has its own, of one it is the only one that this process sees.</summary>
    private OpenClDevice DeviceOf(int rank) => _gpus[_gpus.Length > 1 ? rank : 0];

    private static BackendFactory Make(DeviceOptions options, int ranks, int threads, long memoryBytes)
    {
        if (WhyNot(options.Name) is { } reason)
        {
            throw new StartupException($"--device {options.Name}: {reason}");
        }

        var devices = options.Name is Auto or OpenCl ? Find(options.Name) : [];
        var gpus = devices.Where(device => device.Description.IsGpu).ToImmutableArray();

        // A processor that pretends to be a device is shared by all ranks, as the CPU is; only who asks for it by name gets it.
        var chosen = gpus.IsEmpty && options.Name == OpenCl ? [.. devices.Take(1)] : gpus;
        if (options.Name == OpenCl && chosen.IsEmpty)
        {
            throw new StartupException($"--device opencl: no OpenCL device is visible. {OpenClAdvice.Text}");
        }

        VisibleGpus.Require([.. gpus.Select(gpu => gpu.Description)], ranks, options.ExactGpus);
        return new BackendFactory(options, chosen, ranks, threads, memoryBytes);
    }

    /// <exception cref="StartupException">A driver fails.</exception>
    private static ImmutableArray<OpenClDevice> Find(string option)
    {
        try
        {
            return OpenClDevice.All();
        }
        catch (InvalidOperationException exception)
        {
            throw new StartupException($"--device {option}: {exception.Message}; --device {Cpu} does without OpenCL", exception);
        }
    }
}
