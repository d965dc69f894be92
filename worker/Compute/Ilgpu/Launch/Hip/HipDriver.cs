using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

namespace Cluster.Worker.Compute.Ilgpu.Launch.Hip;

/// <summary>An AMD GPU through HIP.</summary>
internal sealed unsafe class HipDriver(HipDevice device) : GpuDriver(device.Library.Calls, device.Description)
{
    private const int DeviceToDevice = 3;

    protected override nint EndOfExtra => 3;

    public override void CopyRows(
        nint source, long sourceStride, nint destination, long stride, long rowBytes, int rows, nint stream) => Check(
        device.Library.Copy2D(
            destination, (nuint)stride, source, (nuint)sourceStride, (nuint)rowBytes, (nuint)rows, DeviceToDevice, stream),
        "copying rows on the device");

    public override nint LoadModule(KernelImage image, string name)
    {
        nint module = 0;
        fixed (byte* bytes = image.Bytes)
        {
            var result = Calls.ModuleLoad(&module, bytes, 0, null, null);
            return result == 0
                ? module
                : throw new KernelBuildException(
                    $"kernel {name}: {Device.Name} is {Device.Architecture} and refuses the code object for {image.Architecture}: "
                    + Describe(result));
        }
    }

    protected override void Select() => Check(device.Library.Select(device.Ordinal), $"selecting device {device.Ordinal}");

    protected override string Describe(int result) => device.Library.Describe(result);
}
