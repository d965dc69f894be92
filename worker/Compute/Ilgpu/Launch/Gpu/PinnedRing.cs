namespace Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

/// <summary>Pinned memory that what is written to the device passes through, so that a write returns before the device has it: parts that
/// take turns, each with an event that says when the device has read it.</summary>
internal sealed unsafe class PinnedRing : IDisposable
{
    private const int Parts = 4;
    private const int PartBytes = 4 << 20;
    private const int Alignment = 64;

    private readonly GpuDriver _driver;
    private readonly nint _stream;
    private readonly nint _memory;
    private readonly nint[] _events = new nint[Parts];
    private readonly bool[] _isPending = new bool[Parts];
    private int _part;
    private int _used;

    public PinnedRing(GpuDriver driver, nint stream)
    {
        _driver = driver;
        _stream = stream;
        _memory = driver.AllocatePinned(Parts * PartBytes);
        for (var i = 0; i < Parts; i++)
        {
            _events[i] = driver.CreateEvent();
        }
    }

    /// <summary>Enqueues the copy of host memory to the device.</summary>
    public void Write(nint device, ReadOnlySpan<byte> values)
    {
        while (values.Length > 0)
        {
            if (_used == PartBytes)
            {
                Turn();
            }

            var count = Math.Min(values.Length, PartBytes - _used);
            var pinned = _memory + (nint)_part * PartBytes + _used;
            values[..count].CopyTo(new Span<byte>((void*)pinned, count));
            _driver.CopyToDevice(device, pinned, count, _stream);
            _used = Math.Min(PartBytes, (_used + count + Alignment - 1) / Alignment * Alignment);
            device += count;
            values = values[count..];
        }
    }

    /// <summary>Copies from the device, through the part whose turn is next; waits.</summary>
    public void Read(nint device, Span<byte> values)
    {
        Turn();
        var pinned = _memory + (nint)_part * PartBytes;
        while (values.Length > 0)
        {
            var count = Math.Min(values.Length, PartBytes);
            _driver.CopyToHost(pinned, device, count, _stream);
            _driver.Synchronize(_stream);
            new ReadOnlySpan<byte>((void*)pinned, count).CopyTo(values);
            device += count;
            values = values[count..];
        }

        // The stream is empty: nothing that was written before is still to be read.
        Array.Clear(_isPending);
    }

    public void Dispose()
    {
        foreach (var handle in _events)
        {
            _driver.DestroyEvent(handle);
        }

        _driver.FreePinned(_memory);
    }

    private void Turn()
    {
        _driver.Record(_events[_part], _stream);
        _isPending[_part] = true;
        _part = (_part + 1) % Parts;
        _used = 0;
        if (_isPending[_part])
        {
            _driver.Wait(_events[_part]);
            _isPending[_part] = false;
        }
    }
}
