using System.Collections.Immutable;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Compute.Ilgpu.Launch.Interpreter;
using Cluster.Worker.Compute.Profiling;
using Cluster.Worker.Models.Parallel;

namespace Cluster.Worker.Startup;

/// <summary>The one place that makes backends from <c>--device</c>: for a model, for each rank of a group, for a draft model, and for
/// <c>verify</c>. A device that is not there is refused here, never replaced by another one.</summary>
internal sealed class BackendFactory
{
    /// <summary>A GPU where there is one, else the CPU.</summary>
    public const string Auto = DeviceNames.Auto;

    private const string Cpu = DeviceNames.Cpu;

    private readonly DeviceOptions _options;
    private readonly ImmutableArray<GpuChoice> _gpus;
    private readonly int _ranks;

    private BackendFactory(DeviceOptions options, ImmutableArray<GpuChoice> gpus, int ranks, int threads, long memoryBytes)
    {
        _options = options;
        _gpus = gpus;
        _ranks = ranks;
        Threads = threads;
        MemoryBytes = memoryBytes;
        Device = options.Name != Auto ? options.Name : gpus.IsEmpty ? Cpu : gpus[0].Description.Kind;
    }

    /// <summary>Longest sequence that graphs are captured for, where <c>--max-seq-len-to-capture</c> does not say.</summary>
    public const int DefaultLengthToCapture = 8192;

    /// <summary>The values of <c>--device</c>, the default first.</summary>
    public static IReadOnlyList<string> Devices => DeviceNames.All;

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

    /// <inheritdoc cref="DeviceOptions.CacheDType"/>
    public DType CacheDType(DType? stored) => _options.CacheDType(stored);

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
            launcher = Device == DeviceNames.Interpreter
                ? new InterpreterLauncher(MemoryBytes)
                : DeviceOf(communicator?.Rank ?? 0).Open();
            var options = new IlgpuOptions
            {
                MemoryBytes = launcher.Device.IsGpu ? null : MemoryBytes,
                Communicator = communicator,
                RoundsActivations = AsksFor16Bits,
            };
            var devices = communicator is { Size: > 1 } && launcher is IStreamLauncher ? Join(communicator) : null;
            if (_options.Profile is { } profile)
            {
                var counting = new CountingLauncher(launcher);
                launcher = counting;
                return new ProfilingBackend(new IlgpuBackend(counting, options), profile, () => counting.Launches, counting.Synchronize);
            }

            return new IlgpuBackend(launcher, options with { Devices = devices });
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
        if (AsksFor16Bits && _gpus.Any(gpu => gpu.MatrixCores != MatrixCores.None))
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

        if (Device is DeviceNames.Hip or DeviceNames.Cuda)
        {
            NcclLibrary? library = null;
            string? reason = null;
            var throughHost = _ranks > 1 && !NcclLibrary.TryLoad(LibraryOf(Device), out library, out reason);
            var why = _options.EnforceEager ? "--enforce-eager" : throughHost ? "ranks talk through the host" : null;
            yield return why is not null
                ? $"decode steps are launched kernel by kernel ({why})"
                : $"decode steps of sequences up to {_options.MaxSeqLenToCapture ?? DefaultLengthToCapture} tokens are captured as graphs";
            if (_ranks > 1)
            {
                yield return throughHost ? $"ranks talk through the host: {reason}" : $"ranks talk from GPU to GPU through {library!.Name}";
            }

            yield break;
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

    /// <summary>The ranks' devices, from one to the other, if the library for it is there for all of them.</summary>
    private NcclCommunicator? Join(Communicator ranks)
    {
        var isThere = NcclLibrary.TryLoad(LibraryOf(Device), out var library, out _);

        // A rank that counts its launches has no stream to show: all meet through the host then.
        Span<float> missing = [isThere && _options.Profile is null ? 0 : 1];
        ranks.AllReduce(missing);
        return missing[0] == 0 ? new NcclCommunicator(library!, ranks) : null;
    }

    private static IReadOnlyList<string> LibraryOf(string device) =>
        [.. NcclLibrary.FileNames.Where(name => name.Contains("rccl", StringComparison.Ordinal) == (device == DeviceNames.Hip))];

    private string TitleOf(int rank) => HasGpus ? DeviceOf(rank).Description.Uuid ?? DeviceOf(rank).Description.Name : Device;

    /// <summary>Of several devices each rank has its own, of one it is the only one that this process sees.</summary>
    private GpuChoice DeviceOf(int rank) => _gpus[_gpus.Length > 1 ? rank : 0];

    private static BackendFactory Make(DeviceOptions options, int ranks, int threads, long memoryBytes)
    {
        var tried = options.Name == Auto ? DeviceNames.Gpus : DeviceNames.Gpus.Where(name => name == options.Name);
        var devices = tried.Select(name => Find(name, options.Name)).FirstOrDefault(found => !found.IsEmpty);
        if (devices.IsDefaultOrEmpty)
        {
            return DeviceNames.Gpus.Contains(options.Name)
                ? throw new StartupException($"--device {options.Name}: {GpuChoice.Advice(options.Name)}")
                : new BackendFactory(options, [], ranks, threads, memoryBytes);
        }

        VisibleGpus.Require([.. devices.Select(gpu => gpu.Description).Where(gpu => gpu.IsGpu)], ranks, options.ExactGpus);
        return new BackendFactory(options, devices, ranks, threads, memoryBytes);
    }

    /// <summary>GPUs; a processor that pretends to be a device is shared by all ranks, as the CPU is, and only who asks for it by name gets
    /// it.</summary>
    /// <exception cref="StartupException">A driver fails.</exception>
    private static ImmutableArray<GpuChoice> Find(string name, string option)
    {
        try
        {
            var devices = GpuChoice.Find(name);
            var gpus = devices.Where(device => device.Description.IsGpu).ToImmutableArray();
            return gpus.IsEmpty && option == name ? [.. devices.Take(1)] : gpus;
        }
        catch (Exception exception) when (exception is InvalidOperationException or NotSupportedException)
        {
            throw new StartupException($"--device {option}: {name}: {exception.Message}; --device {Cpu} does without", exception);
        }
    }
}
