using System.Collections.Immutable;

namespace Cluster.Worker.Compute;

/// <summary>A tensor in host memory, row-major, read while weights are loaded: a window of a mapped checkpoint file,
/// or generated memory. Shape <c>[rows, …]</c>; a row is one index of the first dimension.</summary>
/// <remarks>Addressed by pointer, because an embedding table can exceed the 2 GiB of a span.
/// <paramref name="owner"/> keeps the memory alive for as long as the tensor is reachable.</remarks>
internal sealed unsafe class HostTensor(string name, DType dtype, ImmutableArray<int> shape, nint address, object owner)
{
    /// <summary>Bytes from a row to the next where rows are parts of longer ones; 0 where they lie back to back.</summary>
    private long _stride;

    /// <summary>Rows of a head whose halves lie in turn, see <see cref="InHalves"/>; 0 where rows are read as they lie.</summary>
    private int _turns;

    /// <summary>Where rows lie in turn, the place of the first among all.</summary>
    private int _firstTurn;

    /// <summary>Name in the checkpoint, for error messages.</summary>
    public string Name { get; } = name;

    public DType DType { get; } = dtype;

    public ImmutableArray<int> Shape { get; } = shape;

    /// <summary>First dimension; 1 for a scalar.</summary>
    public int Rows => Shape.IsEmpty ? 1 : Shape[0];

    /// <summary>Elements in one row: the product of the dimensions after the first.</summary>
    public int RowLength
    {
        get
        {
            var length = 1;
            for (var i = 1; i < Shape.Length; i++)
            {
                length = checked(length * Shape[i]);
            }

            return length;
        }
    }

    /// <summary>Bytes of the whole tensor.</summary>
    public long ByteLength => (long)Rows * RowLength * DType.Size();

    private long Stride => _stride != 0 ? _stride : (long)RowLength * DType.Size();

    /// <summary>A run of rows, or every so many of one, as a tensor of its own, sharing memory.</summary>
    /// <param name="step">Rows from one taken to the next.</param>
    /// <exception cref="ArgumentOutOfRangeException">Some of the rows do not exist.</exception>
    public HostTensor RowRange(int first, int count, int step = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfLessThan(step, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count == 0 ? first : first + ((count - 1L) * step) + 1, Rows);
        if (_turns != 0)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(step, 1);
            return new HostTensor(Name, DType, Shape.SetItem(0, count), address, owner)
            {
                _stride = _stride,
                _turns = _turns,
                _firstTurn = _firstTurn + first,
            };
        }

        return new HostTensor(Name, DType, Shape.SetItem(0, count), address + (nint)(first * Stride), owner)
        {
            _stride = step == 1 ? _stride : step * Stride,
        };
    }

    /// <summary>The same rows in another order, sharing memory: of each head those at even places, then those at odd ones.
    /// <code>
    /// rows of a head   as they lie   x0 y0 x1 y1 …      as they are read   x0 x1 … y0 y1 …
    /// </code></summary>
    /// <param name="headRows">Rows of a head: even, and so many that heads fill the tensor.</param>
    /// <exception cref="ArgumentOutOfRangeException">Heads do not fill it, or rows are in such an order already.</exception>
    public HostTensor InHalves(int headRows)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(headRows, 2);
        ArgumentOutOfRangeException.ThrowIfNotEqual(headRows % 2, 0);
        ArgumentOutOfRangeException.ThrowIfNotEqual(Rows % headRows, 0);
        ArgumentOutOfRangeException.ThrowIfNotEqual(_turns, 0);
        return new HostTensor(Name, DType, Shape, address, owner) { _stride = _stride, _turns = headRows };
    }

    /// <summary>One index of the first dimension, as a tensor of the other dimensions, sharing memory.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such index, or rows do not lie back to back.</exception>
    public HostTensor Item(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Rows);
        ArgumentOutOfRangeException.ThrowIfNotEqual(_stride, 0);
        ArgumentOutOfRangeException.ThrowIfNotEqual(_turns, 0);
        return new HostTensor(Name, DType, Shape.RemoveAt(0), address + (nint)(index * Stride), owner);
    }

    /// <summary>A run of columns of a matrix, sharing memory.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Some of the columns do not exist.</exception>
    public HostTensor ColumnRange(int first, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(Shape.Length, 2);
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)first + count, RowLength);
        return new HostTensor(Name, DType, Shape.SetItem(1, count), address + ((nint)first * DType.Size()), owner)
        {
            _stride = Stride,
            _turns = _turns,
            _firstTurn = _firstTurn,
        };
    }

    /// <summary>The raw bytes of one row.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The row does not exist.</exception>
    public ReadOnlySpan<byte> Row(int row)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, Rows);
        var span = new ReadOnlySpan<byte>((byte*)address + PlaceOf(row) * Stride, RowLength * DType.Size());
        GC.KeepAlive(owner);
        return span;
    }

    private int PlaceOf(int row)
    {
        if (_turns == 0)
        {
            return row;
        }

        var inHead = (row + _firstTurn) % _turns;
        var (half, place) = Math.DivRem(inHead, _turns / 2);
        return row + _firstTurn - inHead + (2 * place) + half;
    }
}
