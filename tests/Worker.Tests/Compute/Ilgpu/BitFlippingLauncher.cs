using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>A device whose memory loses a bit of every weight when the test says so, and which goes on as if nothing had
/// happened.</summary>
internal sealed class BitFlippingLauncher(IKernelLauncher inner) : IKernelLauncher
{
    /// <summary>What is smaller may be a step's token ids.</summary>
    private const int SmallestWeight = 256;

    private readonly List<MemoryRange> _weights = [];
    private volatile bool _flipping;
    private bool _computes;

    public DeviceDescription Device => inner.Device;

    public int Waves => inner.Waves;

    public bool HasMatrixCores => inner.HasMatrixCores;

    public int BusyGroups => inner.BusyGroups;

    /// <summary>From any thread; done before the next kernel runs. The second time puts all back.</summary>
    public void Flip() => _flipping = true;

    public DeviceMemory Allocate(long bytes) => inner.Allocate(bytes);

    public void Clear(MemoryRange range) => inner.Clear(range);

    public void Write(MemoryRange range, ReadOnlySpan<byte> values)
    {
        if (!_computes && values.Length >= SmallestWeight)
        {
            _weights.Add(range);
        }

        inner.Write(range, values);
    }

    public void Copy(MemoryRange source, MemoryRange destination) => inner.Copy(source, destination);

    public void Launch(Kernel kernel, GridSize grid, params ReadOnlySpan<KernelArgument> arguments)
    {
        _computes = true;
        if (_flipping)
        {
            _flipping = false;
            _weights.ForEach(FlipIn);
        }

        inner.Launch(kernel, grid, arguments);
    }

    public void Read(MemoryRange range, Span<byte> values) => inner.Read(range, values);

    public void Synchronize() => inner.Synchronize();

    public void Dispose() => inner.Dispose();

    /// <summary>Of the first number: a high bit of the fraction of float32, or a low one of a 16-bit type's exponent.</summary>
    private void FlipIn(MemoryRange weight)
    {
        Span<byte> bytes = stackalloc byte[2];
        inner.Read(weight.Slice(0, 2), bytes);
        bytes[1] ^= 1;
        inner.Write(weight.Slice(0, 2), bytes);
    }
}
