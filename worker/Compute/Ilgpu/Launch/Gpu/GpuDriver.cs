using System.Text;
using Cluster.Worker.Compute.Ilgpu.Compile;

namespace Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

/// <summary>One device behind HIP or CUDA's driver interface. <see cref="GpuLauncher"/> is the only caller; the two subclasses have what
/// differs. Whatever fails after the device was opened means that the device is lost: these interfaces say so of every later
/// call.</summary>
internal abstract unsafe class GpuDriver(GpuCalls calls, DeviceDescription device) : IDisposable
{
    protected const int OutOfMemory = 2;

    private const int NotReady = 600;

    /// <summary>Looks at an event between two questions whether it can still come.</summary>
    private const int LooksOfQuestion = 256;

    private const uint NonBlocking = 1;
    private const uint WithoutTiming = 2;

    /// <summary>What this thread does meanwhile does not end the capture; other threads, with devices of their own, are free
    /// anyway.</summary>
    private const int ThreadLocalCapture = 1;

    /// <summary>The device that this thread's calls go to.</summary>
    [ThreadStatic]
    private static GpuDriver? _current;

    /// <summary>What a wait for a stream waits for while there is somebody to ask; made by the first.</summary>
    private nint _awaited;

    /// <summary>With the memory that other processes have left, once <see cref="Open"/> was called.</summary>
    public DeviceDescription Device { get; private set; } = device;

    /// <summary>Asked now and then in a wait: throws where what is waited for may never come. Null waits in the driver.</summary>
    public Action? WhileWaiting { get; set; }

    protected GpuCalls Calls { get; } = calls;

    /// <summary>What ends the list of a launch's extra settings.</summary>
    protected abstract nint EndOfExtra { get; }

    /// <summary>Makes this thread's calls go to the device.</summary>
    public void Enter()
    {
        if (_current != this)
        {
            Select();
            _current = this;
        }
    }

    /// <summary>To be called first.</summary>
    public void Open()
    {
        Enter();
        nuint free = 0, total = 0;
        Check(Calls.MemGetInfo(&free, &total), "asking for free memory");
        Device = Device with { MemoryBytes = (long)free };
    }

    /// <exception cref="InsufficientMemoryException">The device does not have it.</exception>
    public nint Allocate(long bytes)
    {
        nint address = 0;
        var result = Calls.Malloc(&address, (nuint)bytes);
        if (result != OutOfMemory)
        {
            Check(result, "allocating memory");
            return address;
        }

        nuint free = 0, total = 0;
        var told = Calls.MemGetInfo(&free, &total) == 0;
        throw new InsufficientMemoryException(
            $"{Device.Title} has no {bytes} bytes{(told ? $": {free} of {total} are free" : "")}");
    }

    /// <summary>Waits for what still uses the memory.</summary>
    public void Free(nint address) => _ = Calls.Free(address);

    /// <summary>Memory of the host that the device copies from and to by itself.</summary>
    public nint AllocatePinned(long bytes)
    {
        nint address = 0;
        Check(Calls.HostMalloc(&address, (nuint)bytes, 0), $"allocating {bytes} bytes of pinned memory");
        return address;
    }

    public void FreePinned(nint address) => _ = Calls.HostFree(address);

    public nint CreateStream()
    {
        nint stream = 0;
        Check(Calls.StreamCreate(&stream, NonBlocking), "creating a stream");
        return stream;
    }

    public void DestroyStream(nint stream) => _ = Calls.StreamDestroy(stream);

    public void Synchronize(nint stream)
    {
        if (WhileWaiting is null)
        {
            Check(Calls.StreamSynchronize(stream), "waiting for the stream");
            return;
        }

        _awaited = _awaited == 0 ? CreateEvent() : _awaited;
        Record(_awaited, stream);
        Wait(_awaited);
    }

    public nint CreateEvent()
    {
        nint handle = 0;
        Check(Calls.EventCreate(&handle, WithoutTiming), "creating an event");
        return handle;
    }

    public void Record(nint handle, nint stream) => Check(Calls.EventRecord(handle, stream), "recording an event");

    public void Wait(nint handle)
    {
        if (WhileWaiting is not { } ask)
        {
            Check(Calls.EventSynchronize(handle), "waiting for an event");
            return;
        }

        var pause = new SpinWait();
        for (var look = 1; ; look++)
        {
            var result = Calls.EventQuery(handle);
            if (result != NotReady)
            {
                Check(result, "waiting for an event");
                return;
            }

            if (look % LooksOfQuestion == 0)
            {
                ask();
            }

            // A step's end is awaited here: never a whole millisecond.
            pause.SpinOnce(sleep1Threshold: -1);
        }
    }

    public void DestroyEvent(nint handle) => _ = Calls.EventDestroy(handle);

    public void Clear(nint address, long bytes, nint stream) => Check(Calls.Fill(address, 0, (nuint)bytes, stream), "clearing memory");

    public void CopyToDevice(nint device, nint host, long bytes, nint stream) =>
        Check(Calls.CopyToDevice(device, host, (nuint)bytes, stream), "copying to the device");

    public void CopyToHost(nint host, nint device, long bytes, nint stream) =>
        Check(Calls.CopyToHost(host, device, (nuint)bytes, stream), "copying to the host");

    public void Copy(nint source, nint destination, long bytes, nint stream) =>
        Check(Calls.CopyOnDevice(destination, source, (nuint)bytes, stream), "copying on the device");

    /// <summary>Copies rows that stand apart.</summary>
    public abstract void CopyRows(nint source, long sourceStride, nint destination, long stride, long rowBytes, int rows, nint stream);

    /// <param name="name">Of the kernel, for the error.</param>
    /// <exception cref="KernelBuildException">The driver refuses the image; names the device's architecture and the image's.</exception>
    public abstract nint LoadModule(KernelImage image, string name);

    /// <exception cref="KernelBuildException">The module does not have it.</exception>
    public nint GetFunction(nint module, string entry, string name)
    {
        nint function = 0;
        fixed (byte* text = Encoding.UTF8.GetBytes(entry + '\0'))
        {
            var result = Calls.ModuleGetFunction(&function, module, text);
            return result == 0
                ? function
                : throw new KernelBuildException($"kernel {name}: its module on {Device.Name} has no entry {entry}: {Describe(result)}");
        }
    }

    public void UnloadModule(nint module) => _ = Calls.ModuleUnload(module);

    /// <param name="waves">Rows of a group; each has <see cref="Intrinsics.Wave.Lanes"/> threads.</param>
    /// <param name="arguments">As the image lays them out.</param>
    public void Launch(Kernel kernel, nint function, GridSize grid, int waves, ReadOnlySpan<byte> arguments, nint stream)
    {
        fixed (byte* block = arguments)
        {
            var size = (nuint)arguments.Length;

            // Pointer to the block, pointer to its size, end: of both interfaces 1 and 2 are the names of the first two.
            var extra = stackalloc void*[] { (void*)1, block, (void*)2, &size, (void*)EndOfExtra };
            var result = Calls.LaunchKernel(
                function, (uint)grid.X, (uint)grid.Y, (uint)grid.Z, Intrinsics.Wave.Lanes, (uint)waves, 1, 0, stream, null, extra);
            if (result != 0)
            {
                throw Lost(result, $"kernel {kernel}");
            }
        }
    }

    public void BeginCapture(nint stream) => Check(Calls.StreamBeginCapture(stream, ThreadLocalCapture), "beginning a capture");

    /// <returns>What <see cref="Replay"/> takes; 0 where the driver has given the capture up.</returns>
    public nint EndCapture(nint stream)
    {
        nint graph = 0, executable = 0;
        if (Calls.StreamEndCapture(stream, &graph) != 0 || graph == 0)
        {
            return 0;
        }

        var result = Calls.GraphInstantiate(&executable, graph, 0);
        _ = Calls.GraphDestroy(graph);
        return result == 0 ? executable : 0;
    }

    public void Replay(nint graph, nint stream) => Check(Calls.GraphLaunch(graph, stream), "replaying a graph");

    public void DestroyGraph(nint graph) => _ = Calls.GraphExecDestroy(graph);

    public virtual void Dispose()
    {
        if (_awaited != 0)
        {
            DestroyEvent(_awaited);
            _awaited = 0;
        }

        if (_current == this)
        {
            _current = null;
        }
    }

    protected abstract void Select();

    /// <summary>An error's name and number.</summary>
    protected abstract string Describe(int result);

    protected void Check(int result, string what)
    {
        if (result != 0)
        {
            throw Lost(result, what);
        }
    }

    private DeviceLostException Lost(int result, string what) => new($"device {Device.Title} failed: {what}: {Describe(result)}");
}
