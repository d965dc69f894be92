using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Rotary embedding (Su et al. 2021, in the Hugging Face "half" pairing) of queries and keys, and the copy of keys and values into
/// the cache.</summary>
/// <remarks>
/// A layer's cache, in pieces of 16 bytes (E elements of a head); lanes with neighbouring slots read neighbouring keys, lanes with
/// neighbouring elements neighbouring values:
/// <code>
/// keys    [block][head][piece of the head][slot of the block] → 16 bytes
/// values  [block][head][slot of the block][piece of the head] → 16 bytes
/// </code>
/// </remarks>
internal static class RopeAndCache
{
    /// <summary>Grid (heads + 2·kvHeads, rows), a wave each.</summary>
    /// <param name="qkv"><c>[rows, (heads + 2·kvHeads)·headDim]</c>, turned in place.</param>
    /// <param name="table"><c>[positions][cos of the pairs, then sin of them]</c>.</param>
    /// <param name="pairs">Pairs of a head that turn; 0 for none.</param>
    /// <param name="pieces">Pieces of a head.</param>
    public static void Run<TFormat, TElement>(
        ArrayView<float> qkv, ArrayView<float> table, ArrayView<int> positions, ArrayView<int> slots, ArrayView<TElement> keys,
        ArrayView<TElement> values, int heads, int kvHeads, int headDim, int pairs, int pieces, int blockSize)
        where TFormat : struct, ICacheFormat<TElement>
        where TElement : unmanaged
    {
        var format = default(TFormat);
        var head = Grid.IdxX;
        var row = Grid.IdxY;
        var first = ((long)row * (heads + 2 * kvHeads) + head) * headDim;
        var isValue = head >= heads + kvHeads;
        var kvHead = isValue ? head - heads - kvHeads : head - heads;
        var slot = slots[row];
        var inBlock = slot % blockSize;

        // First piece of the head in its block.
        var at = ((long)(slot / blockSize) * kvHeads + kvHead) * pieces * blockSize;
        if (isValue)
        {
            for (var i = Group.IdxX; i < headDim; i += Wave.Lanes)
            {
                values[(at + (long)inBlock * pieces) * format.Elements + i] = format.Encode(qkv[first + i]);
            }

            return;
        }

        for (var i = Group.IdxX; i < headDim; i += Wave.Lanes)
        {
            var value = qkv[first + i];
            if (i < pairs)
            {
                // The lane of a pair's first element turns both; nobody else touches the second.
                var angle = (long)positions[row] * 2 * pairs + i;
                var other = qkv[first + i + pairs];
                var turned = Native.Fma(value, table[angle], -(other * table[angle + pairs]));
                other = Native.Fma(other, table[angle], value * table[angle + pairs]);
                value = turned;
                qkv[first + i] = value;
                qkv[first + i + pairs] = other;
                if (head >= heads)
                {
                    keys[KeyAt(at, i + pairs, inBlock, blockSize, format.Elements)] = format.Encode(other);
                }
            }

            if (head >= heads && (i < pairs || i >= 2 * pairs))
            {
                keys[KeyAt(at, i, inBlock, blockSize, format.Elements)] = format.Encode(value);
            }
        }
    }

    private static long KeyAt(long first, int element, int inBlock, int blockSize, int elements) =>
        (first + (long)(element / elements) * blockSize + inBlock) * elements + element % elements;
}
