namespace Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

/// <summary>Memory of a <see cref="GpuLauncher"/>.</summary>
internal sealed class GpuMemory(GpuDriver driver, nint address, long bytes) : DeviceMemory(bytes)
{
    private nint _address = address;

    public nint Address
    {
        get
        {
            ObjectDisposedException.ThrowIf(_address == 0, this);
            return _address;
        }
    }

    public override void Dispose()
    {
        if (_address != 0)
        {
            driver.Enter();
            driver.Free(_address);
            _address = 0;
        }
    }
}
