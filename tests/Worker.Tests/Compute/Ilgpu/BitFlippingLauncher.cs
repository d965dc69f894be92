using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>A device whose memory loses a bit of every weight when the test says so, and which goes on as if nothing had
/// happened.</summary>
internal sealed class BitFlippingLauncher(IKernelLauncher inner) : DelegatingLauncher(inner)
{
    /// <summary>What is smaller may be a step's token ids.</summary>
    private const int SmallestWeight = 256;

    private readonly List<MemoryRange> _weights = [];
    private volatile bool _flipping;
    private bool _computes;

    /// <summary>From any thread; done before the next kernel runs. The second time puts all back.</summary>
    public void Flip() => _flipping = true;

    public override void Write(MemoryRange range, ReadOnlySpan<byte> values)
    {
        if (!_computes && values.Length >= SmallestWeight)
        {
            _weights.Add(range);
        }

        base.Write(range, values);
    }

    public override void Launch(Kernel kernel, GridSize grid, params ReadOnlySpan<KernelArgument> arguments)
    {
        _computes = true;
        if (_flipping)
        {
            _flipping = false;
            _weights.ForEach(FlipIn);
        }

        base.Launch(kernel, grid, arguments);
    }

    /// <summary>Of the first number: a high bit of the fraction of float32, or a low one of a 16-bit type's exponent.</summary>
    private void FlipIn(MemoryRange weight)
    {
        Span<byte> bytes = stackalloc byte[2];
        Read(weight.Slice(0, 2), bytes);
        bytes[1] ^= 1;
        base.Write(weight.Slice(0, 2), bytes);
    }
}
