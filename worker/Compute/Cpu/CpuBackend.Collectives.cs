using Cluster.Worker.Compute.Cpu.Memory;

namespace Cluster.Worker.Compute.Cpu;

/// <summary>The part of <see cref="CpuBackend"/> that talks to the other ranks of its group
/// (<see cref="CpuOptions.Communicator"/>).</summary>
internal abstract unsafe partial class CpuBackend
{
    /// <summary>Ranks' parts one below the other, as they come.</summary>
    private readonly ScratchMemory _gathered = new();

    public override void AllReduce(Tensor x)
    {
        if (_options.Communicator is { Size: > 1 } ranks)
        {
            ranks.AllReduce(new Span<float>(CpuBuffer.Floats(x, x.Rows, x.Columns), checked(x.Rows * x.Columns)));
        }
    }

    public override void AllGather(Tensor part, Tensor output)
    {
        if (_options.Communicator is not { } ranks)
        {
            base.AllGather(part, output);
            return;
        }

        var length = checked(part.Rows * part.Columns);
        var columns = checked(part.Columns * ranks.Size);
        var values = new ReadOnlySpan<float>(CpuBuffer.Floats(part, part.Rows, part.Columns), length);
        var sideBySide = new Span<float>(CpuBuffer.Floats(output, part.Rows, columns), checked(length * ranks.Size));
        if (part.Rows == 1 || ranks.Size == 1)
        {
            ranks.AllGather(values, sideBySide);
            return;
        }

        var stacked = new Span<float>(_gathered.Floats(sideBySide.Length), sideBySide.Length);
        ranks.AllGather(values, stacked);
        for (var rank = 0; rank < ranks.Size; rank++)
        {
            for (var row = 0; row < part.Rows; row++)
            {
                stacked.Slice(rank * length + row * part.Columns, part.Columns).CopyTo(sideBySide[(row * columns + rank * part.Columns)..]);
            }
        }
    }
}
