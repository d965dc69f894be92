namespace Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

/// <summary>Pinned memory that the device reads by itself while the host fills another piece; an event says when it has.</summary>
internal sealed class PinnedStaging : StagingMemory
{
    private readonly GpuDriver _driver;
    private readonly nint _address;
    private readonly nint _read;
    private bool _isPending;

    public PinnedStaging(GpuDriver driver, int bytes)
        : base(bytes)
    {
        _driver = driver;
        _address = driver.AllocatePinned(bytes);
        _read = driver.CreateEvent();
    }

    public override nint Take()
    {
        if (_isPending)
        {
            _driver.Enter();
            _driver.Wait(_read);
            _isPending = false;
        }

        return _address;
    }

    /// <summary>Enqueues the copy of the first bytes.</summary>
    public void CopyTo(nint device, int bytes, nint stream)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, Bytes);
        _driver.CopyToDevice(device, _address, bytes, stream);
        _driver.Record(_read, stream);
        _isPending = true;
    }

    /// <remarks>Also after the device was lost: then nobody reads any more.</remarks>
    public override void Dispose()
    {
        try
        {
            _driver.Enter();
            Take();
        }
        catch (DeviceLostException)
        {
            // Nothing is read by a device that is no more.
        }

        _driver.DestroyEvent(_read);
        _driver.FreePinned(_address);
    }
}
