using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;

namespace Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

/// <summary>Runs kernels through HIP or CUDA's driver interface: one stream on one device.</summary>
internal sealed class GpuLauncher : IStreamLauncher
{
    private const int GroupsPerUnit = 8;

    private readonly GpuDriver _driver;
    private readonly IKernelImages _images;
    private readonly PinnedRing _pinned;
    private readonly Dictionary<Kernel, (nint Function, ArgumentLayout Layout)> _kernels = [];
    private readonly List<nint> _modules = [];
    private long _kernelsBuilt;

    /// <param name="driver">Taken over: disposed of with the launcher.</param>
    public GpuLauncher(GpuDriver driver, IKernelImages images, MatrixCores matrixCores)
    {
        _driver = driver;
        _images = images;
        MatrixCores = matrixCores;
        driver.Open();
        Stream = driver.CreateStream();
        _pinned = new PinnedRing(driver, Stream);
    }

    public DeviceDescription Device => _driver.Device;

    public int Waves => Wave.MaxWaves;

    public MatrixCores MatrixCores { get; }

    public int BusyGroups => Device.ComputeUnits * GroupsPerUnit;

    public long KernelsBuilt => Interlocked.Read(ref _kernelsBuilt);

    public nint Stream { get; }

    public Action? WhileWaiting
    {
        get => _driver.WhileWaiting;
        set => _driver.WhileWaiting = value;
    }

    public DeviceMemory Allocate(long bytes)
    {
        _driver.Enter();
        return new GpuMemory(_driver, _driver.Allocate(Math.Max(bytes, 16)), bytes);
    }

    public void Clear(MemoryRange range)
    {
        if (range.Bytes > 0)
        {
            _driver.Enter();
            _driver.Clear(AddressOf(range), range.Bytes, Stream);
        }
    }

    public void Write(MemoryRange range, ReadOnlySpan<byte> values)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(values.Length, range.Bytes);
        _driver.Enter();
        _pinned.Write(AddressOf(range), values);
    }

    public StagingMemory Stage(int bytes)
    {
        _driver.Enter();
        return new PinnedStaging(_driver, bytes);
    }

    public void Write(MemoryRange range, StagingMemory staging, int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, range.Bytes);
        if (bytes > 0)
        {
            ((PinnedStaging)staging).CopyTo(AddressOf(range), bytes, Stream);
        }
    }

    public void Copy(MemoryRange source, MemoryRange destination)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(source.Bytes, destination.Bytes);
        if (source.Bytes > 0)
        {
            _driver.Enter();
            _driver.Copy(AddressOf(source), AddressOf(destination), source.Bytes, Stream);
        }
    }

    public void CopyRows(
        MemoryRange source, long sourceStride, MemoryRange destination, long destinationStride, long rowBytes, int rows)
    {
        if (rows > 0)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan((rows - 1) * sourceStride + rowBytes, source.Bytes);
            ArgumentOutOfRangeException.ThrowIfGreaterThan((rows - 1) * destinationStride + rowBytes, destination.Bytes);
            _driver.Enter();
            _driver.CopyRows(AddressOf(source), sourceStride, AddressOf(destination), destinationStride, rowBytes, rows, Stream);
        }
    }

    public void Launch(Kernel kernel, GridSize grid, params ReadOnlySpan<KernelArgument> arguments)
    {
        if (grid.IsEmpty)
        {
            return;
        }

        _driver.Enter();
        if (!_kernels.TryGetValue(kernel, out var loaded))
        {
            loaded = Load(kernel);
            _kernels.Add(kernel, loaded);
        }

        Span<byte> block = stackalloc byte[loaded.Layout.Bytes];
        block.Clear();
        loaded.Layout.Fill(kernel, arguments, block);
        _driver.Launch(kernel, loaded.Function, grid, kernel.IsWide ? Waves : 1, block, Stream);
    }

    public void Read(MemoryRange range, Span<byte> values)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(values.Length, range.Bytes);
        if (values.Length > 0)
        {
            _driver.Enter();
            _pinned.Read(AddressOf(range), values);
        }
    }

    public void Synchronize()
    {
        _driver.Enter();
        _driver.Synchronize(Stream);
    }

    /// <remarks>Whoever asks will use it: the thread's calls go to the device from here on.</remarks>
    public nint AddressOf(MemoryRange range)
    {
        _driver.Enter();
        return ((GpuMemory)range.Memory).Address + (nint)range.Offset;
    }

    public void BeginCapture()
    {
        _driver.Enter();
        _driver.BeginCapture(Stream);
    }

    public IDisposable? EndCapture()
    {
        _driver.Enter();
        return _driver.EndCapture(Stream) is not 0 and var graph ? new Graph(_driver, graph) : null;
    }

    public void Replay(IDisposable graph)
    {
        _driver.Enter();
        _driver.Replay(((Graph)graph).Handle, Stream);
    }

    public void Dispose()
    {
        try
        {
            _driver.Enter();
            _driver.Synchronize(Stream);
        }
        catch (DeviceLostException)
        {
            // What is given back below is gone with the device; the driver still has records of it.
        }

        _pinned.Dispose();
        _modules.ForEach(_driver.UnloadModule);
        _driver.DestroyStream(Stream);
        _driver.Dispose();
    }

    private (nint Function, ArgumentLayout Layout) Load(Kernel kernel)
    {
        var image = _images.Of(kernel);
        var module = _driver.LoadModule(image, kernel.Name);
        _modules.Add(module);
        var function = _driver.GetFunction(module, image.Entry, kernel.Name);
        Interlocked.Increment(ref _kernelsBuilt);
        return (function, image.Layout);
    }

    private sealed class Graph(GpuDriver driver, nint handle) : IDisposable
    {
        public nint Handle => handle;

        public void Dispose()
        {
            driver.Enter();
            driver.DestroyGraph(handle);
        }
    }
}
