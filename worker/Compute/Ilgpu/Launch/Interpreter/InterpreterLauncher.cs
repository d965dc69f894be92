using System.Reflection;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;
using ILGPU.Backends;
using ILGPU.Backends.EntryPoints;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using Kernel = Cluster.Worker.Compute.Ilgpu.Compile.Kernel;

namespace Cluster.Worker.Compute.Ilgpu.Launch.Interpreter;

/// <summary>Runs kernels on ILGPU's CPUAccelerator: one thread for each lane, so that barriers and shared memory are real. Slow, needs
/// nothing installed, and checks every index.</summary>
internal sealed class InterpreterLauncher : IKernelLauncher
{
    private readonly Context _context;
    private readonly CPUAccelerator _accelerator;
    private readonly Dictionary<Kernel, Action<GridSize, object[]>> _kernels = [];
    private readonly long _memoryBytes;
    private long _allocatedBytes;

    /// <param name="memoryBytes">Memory it may take.</param>
    /// <param name="waves">Waves of a group; one is fastest.</param>
    /// <param name="matrixCores">Takes the kernels for these matrix instructions, which are interpreted very slowly.</param>
    public InterpreterLauncher(long memoryBytes, int waves = 1, MatrixCores matrixCores = MatrixCores.None)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(waves, Wave.MaxWaves);
        if (matrixCores == MatrixCores.Mma && waves != Wave.MaxWaves)
        {
            throw new ArgumentException($"warps multiply in groups of {Wave.MaxWaves} waves, not {waves}", nameof(waves));
        }

        _memoryBytes = memoryBytes;
        Waves = waves;
        MatrixCores = matrixCores;
        var device = new CPUDevice(Wave.Lanes, waves, numMultiprocessors: 1);
        _context = Contexts.Create(builder => builder.CPU(device));
        _accelerator = _context.GetCPUDevice(0).CreateCPUAccelerator(_context, CPUAcceleratorMode.Parallel);
        Device = Describe(memoryBytes, waves);
    }

    public DeviceDescription Device { get; }

    public int Waves { get; }

    public MatrixCores MatrixCores { get; }

    public int BusyGroups => 1;

    /// <summary>What one with this memory and these waves says of itself.</summary>
    public static DeviceDescription Describe(long memoryBytes, int waves) => new(
        "interpreter", $"ILGPU CPUAccelerator, {Wave.Lanes} × {waves} threads", $"ILGPU {typeof(Context).Assembly.GetName().Version}",
        IsGpu: false, memoryBytes, ComputeUnits: 1);

    public DeviceMemory Allocate(long bytes)
    {
        if (bytes > _memoryBytes - _allocatedBytes)
        {
            throw new InsufficientMemoryException(
                $"{bytes} bytes are needed, but {_allocatedBytes} of the {_memoryBytes} bytes that may be used are taken");
        }

        _allocatedBytes += bytes;
        return new Memory(this, _accelerator.Allocate1D<byte>(Math.Max(bytes, 16)), bytes);
    }

    public void Clear(MemoryRange range) => ViewOf<byte>(range.Memory, range.Offset, range.Bytes).MemSetToZero();

    public unsafe void Write(MemoryRange range, ReadOnlySpan<byte> values)
    {
        // ILGPU takes the address of a reference, and the collector may move what is not pinned.
        fixed (byte* source = values)
        {
            ViewOf<byte>(range.Memory, range.Offset, values.Length).CopyFromCPU(ref *source, values.Length);
        }
    }

    public void Copy(MemoryRange source, MemoryRange destination) =>
        ViewOf<byte>(source.Memory, source.Offset, source.Bytes)
            .CopyTo(ViewOf<byte>(destination.Memory, destination.Offset, source.Bytes));

    public void Launch(Kernel kernel, GridSize grid, params ReadOnlySpan<KernelArgument> arguments)
    {
        if (grid.IsEmpty)
        {
            return;
        }

        if (!_kernels.TryGetValue(kernel, out var launch))
        {
            launch = Prepare(kernel);
            _kernels.Add(kernel, launch);
        }

        var values = new object[arguments.Length];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = ValueOf(kernel, i, arguments[i]);
        }

        launch(grid, values);
    }

    public unsafe void Read(MemoryRange range, Span<byte> values)
    {
        Synchronize();
        fixed (byte* destination = values)
        {
            ViewOf<byte>(range.Memory, range.Offset, values.Length).CopyToCPU(ref *destination, values.Length);
        }
    }

    public void Synchronize() => _accelerator.Synchronize();

    public void Dispose()
    {
        _accelerator.Dispose();
        _context.Dispose();
    }

    private static ArrayView<T> ViewOf<T>(DeviceMemory memory, long offset, long bytes)
        where T : unmanaged => ((Memory)memory).Buffer.AsArrayView<byte>(offset, bytes).Cast<T>();

    private static object BoxedView<T>(DeviceMemory memory, long offset, long bytes)
        where T : unmanaged => ViewOf<T>(memory, offset, bytes);

    private static object ValueOf(Kernel kernel, int index, in KernelArgument argument)
    {
        if (kernel.Parameters[index].ElementType is { } element)
        {
            return typeof(InterpreterLauncher).GetMethod(nameof(BoxedView), BindingFlags.NonPublic | BindingFlags.Static)!
                .MakeGenericMethod(element).Invoke(null, [argument.Memory, argument.Offset, argument.Bytes])!;
        }

        return kernel.Method.GetParameters()[index].ParameterType == typeof(float)
            ? BitConverter.UInt32BitsToSingle(argument.Bits)
            : (object)(int)argument.Bits;
    }

    private Action<GridSize, object[]> Prepare(Kernel kernel)
    {
        ILGPU.Runtime.Kernel loaded;
        try
        {
            loaded = _accelerator.LoadKernel(
                _accelerator.GetBackend().Compile(EntryPointDescription.FromExplicitlyGroupedKernel(kernel.Method), default));
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            throw new KernelBuildException($"kernel {kernel}: ILGPU cannot compile it: {exception.GetBaseException().Message}", exception);
        }

        var waves = kernel.IsWide ? Waves : 1;
        return (grid, values) => loaded.Launch(
            _accelerator.DefaultStream, new KernelConfig((grid.X, grid.Y, grid.Z), (Wave.Lanes, waves, 1)), values);
    }

    private sealed class Memory(InterpreterLauncher owner, MemoryBuffer1D<byte, Stride1D.Dense> buffer, long bytes) : DeviceMemory(bytes)
    {
        public MemoryBuffer1D<byte, Stride1D.Dense> Buffer => buffer;

        public override void Dispose()
        {
            owner._allocatedBytes -= Bytes;
            buffer.Dispose();
        }
    }
}
