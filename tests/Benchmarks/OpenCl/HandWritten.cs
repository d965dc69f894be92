using System.Text;
using Cluster.Worker.Compute.Ilgpu.Launch.OpenCl;
using Silk.NET.OpenCL;

namespace Cluster.Benchmarks.OpenCl;

/// <summary>A program of hand-written OpenCL C on a device, with a queue of its own.</summary>
internal sealed unsafe class HandWritten
{
    private readonly CL _cl = OpenClApi.Find()!;
    private readonly nint _context;
    private readonly nint _queue;
    private readonly nint _program;

    public HandWritten(OpenClDevice device, string source)
    {
        int error;
        var handle = device.Handle;
        _context = _cl.CreateContext(null, 1, &handle, null, null, &error);
        OpenClApi.Check(error, "clCreateContext");
        _queue = _cl.CreateCommandQueueWithProperties(_context, handle, (QueueProperties*)null, &error);
        OpenClApi.Check(error, "clCreateCommandQueueWithProperties");
        var text = Encoding.UTF8.GetBytes(source + '\0');
        fixed (byte* p = text)
        {
            _program = _cl.CreateProgramWithSource(_context, 1, &p, null, &error);
        }

        OpenClApi.Check(error, "clCreateProgramWithSource");
        OpenClApi.Check(_cl.BuildProgram(_program, 1, &handle, "-cl-std=CL3.0", null, null), "clBuildProgram");
    }

    /// <summary>Memory that holds zeros.</summary>
    public nint Allocate(long bytes)
    {
        int error;
        var buffer = _cl.CreateBuffer(_context, MemFlags.ReadWrite, (nuint)bytes, null, &error);
        OpenClApi.Check(error, "clCreateBuffer");
        var zero = 0;
        OpenClApi.Check(
            _cl.EnqueueFillBuffer(_queue, buffer, &zero, sizeof(int), 0, (nuint)bytes, 0, null, null), "clEnqueueFillBuffer");
        return buffer;
    }

    /// <summary>Memory that holds numbers.</summary>
    public nint Allocate(int[] values)
    {
        var buffer = Allocate(sizeof(int) * (long)values.Length);
        fixed (int* p = values)
        {
            OpenClApi.Check(
                _cl.EnqueueWriteBuffer(_queue, buffer, true, 0, (nuint)(sizeof(int) * values.Length), p, 0, null, null),
                "clEnqueueWriteBuffer");
        }

        return buffer;
    }

    /// <summary>A kernel with its arguments set: buffers, then whole numbers or floats.</summary>
    /// <returns>Launches it and waits.</returns>
    public Action Prepare(string name, int waves, int groupsX, int groupsY, nint[] buffers, params float[] numbers)
    {
        int error;
        var kernel = _cl.CreateKernel(_program, name, &error);
        OpenClApi.Check(error, "clCreateKernel");
        for (var i = 0; i < buffers.Length; i++)
        {
            var buffer = buffers[i];
            OpenClApi.Check(_cl.SetKernelArg(kernel, (uint)i, (nuint)sizeof(nint), &buffer), "clSetKernelArg");
        }

        for (var i = 0; i < numbers.Length; i++)
        {
            var whole = (int)numbers[i];
            var real = numbers[i];
            OpenClApi.Check(
                _cl.SetKernelArg(kernel, (uint)(buffers.Length + i), sizeof(int), real == whole ? &whole : (void*)&real), "clSetKernelArg");
        }

        return () =>
        {
            var global = stackalloc nuint[2] { (nuint)(64 * groupsX), (nuint)(waves * groupsY) };
            var local = stackalloc nuint[2] { 64, (nuint)waves };
            OpenClApi.Check(
                _cl.EnqueueNdrangeKernel(_queue, kernel, 2, null, global, local, 0, null, null), "clEnqueueNDRangeKernel");
            OpenClApi.Check(_cl.Finish(_queue), "clFinish");
        };
    }
}
