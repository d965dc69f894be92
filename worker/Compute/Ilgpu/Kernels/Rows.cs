using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Kernels that move rows. Groups of one wave; grid (pieces of a row, rows).</summary>
internal static class Rows
{
    /// <summary>Floats of a row that a group moves.</summary>
    public const int FloatsOfGroup = 4 * Wave.Lanes;

    /// <summary>output[t] = table[ids[t] − firstId] of floats; zeros where the table has no such row.</summary>
    /// <param name="add">1 adds to the output instead.</param>
    public static void EmbedFloats(
        ArrayView<int> ids, ArrayView<float> table, ArrayView<float> output, int columns, int tableRows, int firstId, int add)
    {
        var id = ids[Grid.IdxY] - firstId;
        var isThere = id >= 0 && id < tableRows;
        var last = Native.Min(columns, (Grid.IdxX + 1) * FloatsOfGroup);
        for (var i = Grid.IdxX * FloatsOfGroup + Group.IdxX; i < last; i += Wave.Lanes)
        {
            var value = isThere ? table[(long)id * columns + i] : 0f;
            var at = (long)Grid.IdxY * columns + i;
            output[at] = add != 0 ? output[at] + value : value;
        }
    }

    /// <summary>The same for a table of 16-bit floats.</summary>
    public static void EmbedHalves<TFormat>(
        ArrayView<int> ids, ArrayView<ushort> table, ArrayView<float> output, int columns, int tableRows, int firstId, int add)
        where TFormat : struct, IHalfFormat
    {
        var id = ids[Grid.IdxY] - firstId;
        var isThere = id >= 0 && id < tableRows;
        var last = Native.Min(columns, (Grid.IdxX + 1) * FloatsOfGroup);
        for (var i = Grid.IdxX * FloatsOfGroup + Group.IdxX; i < last; i += Wave.Lanes)
        {
            var value = isThere ? default(TFormat).Widen(table[(long)id * columns + i]) : 0f;
            var at = (long)Grid.IdxY * columns + i;
            output[at] = add != 0 ? output[at] + value : value;
        }
    }

    /// <summary>output[i] = x[rows[i]].</summary>
    public static void Gather(ArrayView<float> x, ArrayView<int> rows, ArrayView<float> output, int columns)
    {
        var source = (long)rows[Grid.IdxY] * columns;
        var last = Native.Min(columns, (Grid.IdxX + 1) * FloatsOfGroup);
        for (var i = Grid.IdxX * FloatsOfGroup + Group.IdxX; i < last; i += Wave.Lanes)
        {
            output[(long)Grid.IdxY * columns + i] = x[source + i];
        }
    }

    /// <summary>Copies 16-byte pieces of cache blocks, pair after pair: a thread has the same place in every block, so that a later pair
    /// may overwrite an earlier one's source. Grid (groups of pieces of a block).</summary>
    /// <param name="blocks"><c>[block][pieces]</c>.</param>
    /// <param name="pairs"><c>[count][2]</c> source and destination.</param>
    public static void CopyBlocks(ArrayView<UInt4> blocks, ArrayView<int> pairs, int pieces, int count)
    {
        var piece = Grid.IdxX * Wave.Lanes + Group.IdxX;
        if (piece < pieces)
        {
            for (var pair = 0; pair < count; pair++)
            {
                blocks[(long)pairs[2 * pair + 1] * pieces + piece] = blocks[(long)pairs[2 * pair] * pieces + piece];
            }
        }
    }
}
