using System.Text;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU.Runtime.OpenCL;
using Silk.NET.OpenCL;

namespace Cluster.Worker.Compute.Ilgpu.Launch.OpenCl;

/// <summary>Runs kernels through OpenCL: one context and one in-order queue on one device.</summary>
internal sealed unsafe class OpenClLauncher : IKernelLauncher
{
    private const int OutOfResources = -5;
    private const int OutOfHostMemory = -6;
    private const int MemAllocationFailure = -4;
    private const int InvalidBufferSize = -61;
    private const int GroupsPerUnit = 8;

    private readonly CL _cl;
    private readonly OpenClDevice _device;
    private readonly KernelCache _cache;
    private readonly ClCompiler _compiler;
    private long _kernelsBuilt;
    private long _pieces;
    private readonly Dictionary<Kernel, OpenClKernel> _kernels = [];
    private readonly List<nint> _programs = [];
    private readonly string _buildOptions;
    private readonly nint _context;
    private readonly nint _queue;

    /// <exception cref="NotSupportedException">The device lacks something that kernels need.</exception>
    /// <exception cref="InvalidOperationException">The driver refuses a context or a queue.</exception>
    public OpenClLauncher(OpenClDevice device, KernelCache cache)
    {
        _cl = OpenClApi.Find() ?? throw new InvalidOperationException("libOpenCL.so.1 is not installed");
        _device = device;
        MatrixCores = device.MatrixCores;
        _cache = cache;
        _compiler = new ClCompiler(device.IsAmd ? CLDeviceVendor.AMD : CLDeviceVendor.Other);
        if (device.Version.Major < 2)
        {
            throw new NotSupportedException($"{device.Description.Name} speaks {device.Description.Driver}; kernels need OpenCL 2.0");
        }

        _buildOptions = device.Version.Major == 2 ? "-cl-std=CL2.0" : "-cl-std=CL3.0";
        Require(device.MaxGroupSize, Wave.Lanes * Wave.MaxWaves, "threads in a group");
        Require(device.SharedBytes, SharedBytesNeeded, "bytes of shared memory in a group");
        int error;
        var handle = device.Handle;
        _context = OpenClApi.CreateContext(_cl, handle, &error);
        OpenClApi.Check(error, $"clCreateContext on {device.Description.Name}");
        _queue = _cl.CreateCommandQueueWithProperties(_context, handle, (QueueProperties*)null, &error);
        OpenClApi.Check(error, $"clCreateCommandQueueWithProperties on {device.Description.Name}");
    }

    /// <summary>What the largest kernel, attention, takes.</summary>
    public static int SharedBytesNeeded => 48 << 10;

    public DeviceDescription Device => _device.Description;

    public int Waves => Wave.MaxWaves;

    public MatrixCores MatrixCores { get; }

    public int BusyGroups => Device.ComputeUnits * GroupsPerUnit;

    public long KernelsBuilt => Interlocked.Read(ref _kernelsBuilt);

    /// <summary>Arguments that were handed to the driver so far.</summary>
    public long ArgumentsWritten => _kernels.Values.Sum(kernel => kernel.ArgumentsWritten);

    public DeviceMemory Allocate(long bytes)
    {
        if (bytes > _device.MaxAllocationBytes)
        {
            throw new InsufficientMemoryException(
                $"{bytes} bytes are needed in one piece; {Device.Name} allocates at most {_device.MaxAllocationBytes}");
        }

        int error;
        var buffer = _cl.CreateBuffer(_context, MemFlags.ReadWrite, (nuint)Math.Max(bytes, 16), null, &error);
        if (error is MemAllocationFailure or OutOfResources or OutOfHostMemory or InvalidBufferSize)
        {
            throw new InsufficientMemoryException($"{Device.Name} has no {bytes} bytes: {OpenClApi.Describe(error)}");
        }

        Require(error, "clCreateBuffer");
        return new OpenClMemory(_cl, buffer, ++_pieces, bytes);
    }

    public void Clear(MemoryRange range)
    {
        if (range.Bytes > 0)
        {
            byte zero = 0;
            Require(
                _cl.EnqueueFillBuffer(_queue, BufferOf(range), &zero, 1, (nuint)range.Offset, (nuint)range.Bytes, 0, null, null),
                "clEnqueueFillBuffer");
        }
    }

    public void Write(MemoryRange range, ReadOnlySpan<byte> values)
    {
        if (values.Length > 0)
        {
            fixed (byte* p = values)
            {
                Require(
                    _cl.EnqueueWriteBuffer(
                        _queue, BufferOf(range), true, (nuint)range.Offset, (nuint)values.Length, p, 0, null, null),
                    "clEnqueueWriteBuffer");
            }
        }
    }

    public void Copy(MemoryRange source, MemoryRange destination) => Require(
        _cl.EnqueueCopyBuffer(
            _queue, BufferOf(source), BufferOf(destination), (nuint)source.Offset, (nuint)destination.Offset, (nuint)source.Bytes, 0, null,
            null),
        "clEnqueueCopyBuffer");

    public void Launch(Kernel kernel, GridSize grid, params ReadOnlySpan<KernelArgument> arguments)
    {
        if (grid.IsEmpty)
        {
            return;
        }

        if (!_kernels.TryGetValue(kernel, out var built))
        {
            built = Build(kernel);
            _kernels.Add(kernel, built);
        }

        var handle = built.With(arguments);
        var waves = kernel.IsWide ? Waves : 1;
        var group = stackalloc nuint[3] { Wave.Lanes, (nuint)waves, 1 };
        var global = stackalloc nuint[3] { (nuint)grid.X * Wave.Lanes, (nuint)grid.Y * (nuint)waves, (nuint)grid.Z };
        Require(_cl.EnqueueNdrangeKernel(_queue, handle, 3, null, global, group, 0, null, null), $"kernel {kernel}");
    }

    public void Read(MemoryRange range, Span<byte> values)
    {
        if (values.Length > 0)
        {
            fixed (byte* p = values)
            {
                Require(
                    _cl.EnqueueReadBuffer(
                        _queue, BufferOf(range), true, (nuint)range.Offset, (nuint)values.Length, p, 0, null, null),
                    "clEnqueueReadBuffer");
            }
        }
    }

    public void Synchronize() => Require(_cl.Finish(_queue), "clFinish");

    public void Dispose()
    {
        _ = _cl.Finish(_queue);
        foreach (var kernel in _kernels.Values)
        {
            kernel.Dispose();
        }

        _programs.ForEach(program => _ = _cl.ReleaseProgram(program));
        _ = _cl.ReleaseCommandQueue(_queue);
        _ = _cl.ReleaseContext(_context);
    }

    private static nint BufferOf(MemoryRange range) => ((OpenClMemory)range.Memory).Buffer;

    private void Require(long has, long needed, string what)
    {
        if (has < needed)
        {
            throw new NotSupportedException($"{Device.Name} has {has} {what}; kernels need {needed}");
        }
    }

    /// <summary>After the queue is there, an error means that the device is no longer.</summary>
    private void Require(int error, string what)
    {
        if (error != 0)
        {
            throw new DeviceLostException($"device {Device.Name} failed: {what}: {OpenClApi.Describe(error)}");
        }
    }

    private OpenClKernel Build(Kernel kernel)
    {
        var text = _compiler.Compile(kernel, Waves, _cache);
        string[] key = [text, Device.Name, Device.Architecture ?? "", Device.Driver, _buildOptions];
        var program = (nint)0;
        var binary = _cache.GetOrMake(".bin", key, () =>
        {
            program = FromSource(kernel, text);
            return Binary(program);
        });
        if (program == 0)
        {
            program = FromBinary(binary);
            if (program == 0)
            {
                _cache.Remove(".bin", key);
                program = FromSource(kernel, text);
            }
        }

        _programs.Add(program);
        Interlocked.Increment(ref _kernelsBuilt);
        return new OpenClKernel(_cl, kernel, program, ClSource.EntryPoint(text));
    }

    private nint FromSource(Kernel kernel, string text)
    {
        int error;
        nint program;
        fixed (byte* source = Encoding.UTF8.GetBytes(text + '\0'))
        {
            var pointer = source;
            program = _cl.CreateProgramWithSource(_context, 1, &pointer, null, &error);
            Require(error, "clCreateProgramWithSource");
        }

        error = BuildProgram(program);
        if (error != 0)
        {
            var log = Log(program);
            _ = _cl.ReleaseProgram(program);
            throw new KernelBuildException(
                $"kernel {kernel}: the driver of {Device.Name} cannot build it: {OpenClApi.Describe(error)}\n{log}");
        }

        return program;
    }

    /// <returns>0 where the driver does not take it.</returns>
    private nint FromBinary(byte[] binary)
    {
        int error, status;
        var device = _device.Handle;
        var length = (nuint)binary.Length;
        nint program;
        fixed (byte* bytes = binary)
        {
            var pointer = bytes;
            program = _cl.CreateProgramWithBinary(_context, 1, &device, &length, &pointer, &status, &error);
        }

        if (error == 0 && BuildProgram(program) == 0)
        {
            return program;
        }

        if (error == 0)
        {
            _ = _cl.ReleaseProgram(program);
        }

        return 0;
    }

    private int BuildProgram(nint program)
    {
        var device = _device.Handle;
        fixed (byte* options = Encoding.UTF8.GetBytes(_buildOptions + '\0'))
        {
            return OpenClApi.BuildProgram(_cl, program, device, options);
        }
    }

    private string Log(nint program)
    {
        nuint size;
        _ = _cl.GetProgramBuildInfo(program, _device.Handle, ProgramBuildInfo.BuildLog, 0, null, &size);
        var log = new byte[size];
        fixed (byte* p = log)
        {
            _ = _cl.GetProgramBuildInfo(program, _device.Handle, ProgramBuildInfo.BuildLog, size, p, null);
        }

        return Encoding.UTF8.GetString(log).TrimEnd('\0', '\n');
    }

    private byte[] Binary(nint program)
    {
        nuint size;
        Require(_cl.GetProgramInfo(program, ProgramInfo.BinarySizes, (nuint)sizeof(nuint), &size, null), "clGetProgramInfo");
        var binary = new byte[size];
        fixed (byte* p = binary)
        {
            var pointer = p;
            Require(_cl.GetProgramInfo(program, ProgramInfo.Binaries, (nuint)sizeof(nint), &pointer, null), "clGetProgramInfo");
        }

        return binary;
    }
}
