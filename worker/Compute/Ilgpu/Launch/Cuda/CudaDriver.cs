using System.Text;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

namespace Cluster.Worker.Compute.Ilgpu.Launch.Cuda;

/// <summary>An NVIDIA GPU through the driver interface, in the context that NCCL uses as well.</summary>
internal sealed unsafe class CudaDriver(CudaDevice device) : GpuDriver(device.Library.Calls, device.Description)
{
    private const int LogBytes = 8192;

    // Numbers of CUjit_option.
    private const int ErrorLog = 5;
    private const int ErrorLogBytes = 6;

    private readonly nint _context = device.Library.Retain(device.Handle);

    protected override nint EndOfExtra => 0;

    public override void CopyRows(
        nint source, long sourceStride, nint destination, long stride, long rowBytes, int rows, nint stream)
    {
        var copy = new CudaCopy2D
        {
            SourceType = CudaCopy2D.DeviceMemoryType,
            SourceDevice = source,
            SourcePitch = (nuint)sourceStride,
            DestinationType = CudaCopy2D.DeviceMemoryType,
            DestinationDevice = destination,
            DestinationPitch = (nuint)stride,
            RowBytes = (nuint)rowBytes,
            Rows = (nuint)rows,
        };
        Check(device.Library.Copy2D(&copy, stream), "copying rows on the device");
    }

    /// <remarks>The driver compiles PTX here, and keeps what it has made in a cache of its own (<c>~/.nv</c>).</remarks>
    public override nint LoadModule(KernelImage image, string name)
    {
        nint module = 0;
        var log = new byte[LogBytes];
        fixed (byte* bytes = image.Bytes, text = log)
        {
            var options = stackalloc int[] { ErrorLog, ErrorLogBytes };
            var values = stackalloc void*[] { text, (void*)LogBytes };
            var result = Calls.ModuleLoad(&module, bytes, 2, options, values);
            return result == 0
                ? module
                : throw new KernelBuildException(
                    $"kernel {name}: {Device.Name} is {Device.Architecture} and refuses the PTX for {image.Architecture}: "
                    + $"{Describe(result)}\n{Encoding.UTF8.GetString(log).TrimEnd('\0', '\n')}");
        }
    }

    public override void Dispose()
    {
        base.Dispose();
        device.Library.Release(device.Handle);
    }

    protected override void Select() => Check(device.Library.Select(_context), "selecting the device's context");

    protected override string Describe(int result) => device.Library.Describe(result);
}
