using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Cluster.Worker.Compute;

namespace Cluster.Worker.Models.Checkpoints;

/// <summary>A matrix that a checkpoint stores as <c>[in, out]</c>, turned into the <c>[out, in]</c> that backends read: GPT-2's Conv1D,
/// fused experts. The copy lies in native memory, which <see cref="Dispose"/> frees.</summary>
internal sealed class TransposedMatrix : IDisposable
{
    /// <summary>Rows and columns that are copied together, so that what is read and written stays in the cache.</summary>
    private const int Tile = 64;

    private readonly NativeBlock _memory;

    /// <param name="stored"><c>[in, out]</c>.</param>
    /// <param name="firstColumn">Its first column that becomes a row.</param>
    /// <param name="count">Columns that become rows.</param>
    /// <param name="step">Columns from one of them to the next.</param>
    /// <exception cref="ArgumentOutOfRangeException">Some of the columns do not exist.</exception>
    public TransposedMatrix(HostTensor stored, int firstColumn, int count, int step)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(stored.Shape.Length, 2);
        ArgumentOutOfRangeException.ThrowIfNegative(firstColumn);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstColumn + ((count - 1L) * step) + 1, stored.RowLength);
        _memory = new NativeBlock((long)count * stored.Rows * stored.DType.Size());
        switch (stored.DType.Size())
        {
            case sizeof(byte):
                Copy<byte>(stored, firstColumn, count, step, _memory.Address);
                break;
            case sizeof(ushort):
                Copy<ushort>(stored, firstColumn, count, step, _memory.Address);
                break;
            case sizeof(uint):
                Copy<uint>(stored, firstColumn, count, step, _memory.Address);
                break;
            default:
                Copy<ulong>(stored, firstColumn, count, step, _memory.Address);
                break;
        }

        Tensor = new HostTensor(stored.Name, stored.DType, [count, stored.Rows], _memory.Address, _memory);
    }

    /// <summary><c>[out, in]</c>; not to be read after <see cref="Dispose"/>.</summary>
    public HostTensor Tensor { get; }

    public void Dispose() => _memory.Dispose();

    private static unsafe void Copy<T>(HostTensor stored, int firstColumn, int count, int step, nint destination)
        where T : unmanaged
    {
        var target = (T*)destination;
        for (var tileRow = 0; tileRow < stored.Rows; tileRow += Tile)
        {
            for (var tileColumn = 0; tileColumn < count; tileColumn += Tile)
            {
                for (var row = tileRow; row < Math.Min(tileRow + Tile, stored.Rows); row++)
                {
                    // Safetensors aligns nothing but its header.
                    ref var source = ref MemoryMarshal.GetReference(stored.Row(row));
                    for (var column = tileColumn; column < Math.Min(tileColumn + Tile, count); column++)
                    {
                        var offset = (firstColumn + ((nint)column * step)) * sizeof(T);
                        target[((long)column * stored.Rows) + row] = Unsafe.ReadUnaligned<T>(ref Unsafe.Add(ref source, offset));
                    }
                }
            }
        }

        GC.KeepAlive(stored);
    }
}
