using System.Runtime.InteropServices;

namespace Cluster.Worker.Compute.Ilgpu;

/// <content>The other ranks of a group (<see cref="IlgpuOptions.Communicator"/>): from the device to the host, through the group there, and
/// back. Certain everywhere; a device's own links are faster.</content>
internal sealed partial class IlgpuBackend
{
    private float[] _own = [];
    private float[] _gathered = [];

    public override void AllReduce(Tensor x)
    {
        if (_options.Communicator is { Size: > 1 } ranks)
        {
            var values = Host(ref _own, checked(x.Rows * x.Columns));
            Download(x, values);
            ranks.AllReduce(values);
            _launcher.Write(RangeOf(x, DType.F32, values.Length), MemoryMarshal.AsBytes(values));
        }
    }

    public override void AllGather(Tensor part, Tensor output)
    {
        if (_options.Communicator is not { } ranks)
        {
            base.AllGather(part, output);
            return;
        }

        Require(output, part.Rows, checked(part.Columns * ranks.Size));
        var values = Host(ref _own, checked(part.Rows * part.Columns));
        Download(part, values);
        var stacked = Host(ref _gathered, checked(2 * values.Length * ranks.Size));
        var parts = stacked[..(values.Length * ranks.Size)];
        var sideBySide = stacked[parts.Length..];
        ranks.AllGather(values, parts);
        for (var rank = 0; rank < ranks.Size; rank++)
        {
            for (var row = 0; row < part.Rows; row++)
            {
                parts.Slice(rank * values.Length + row * part.Columns, part.Columns)
                    .CopyTo(sideBySide[(row * output.Columns + rank * part.Columns)..]);
            }
        }

        _launcher.Write(RangeOf(output, DType.F32, sideBySide.Length), MemoryMarshal.AsBytes(sideBySide));
    }

    /// <summary>Host memory that a device copies into directly; grows to the largest step ever seen.</summary>
    private static Span<float> Host(ref float[] values, int count)
    {
        if (values.Length < count)
        {
            values = GC.AllocateUninitializedArray<float>(count, pinned: true);
        }

        return values.AsSpan(0, count);
    }
}
