using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Rotary embedding (Su et al. 2021) of queries and keys, and the copy of keys and values into the cache.</summary>
/// <remarks>
/// Pair i of a head is its elements <c>first + i·step</c> and <c>apart</c> further: halves against each other with step 1, neighbours with
/// step 2.
/// A layer's cache, in pieces of 16 bytes (E elements of a head); lanes with neighbouring slots read neighbouring keys, lanes with
/// neighbouring elements neighbouring values:
/// <code>
/// keys    [block][head][piece of the head][slot of the block] → 16 bytes
/// values  [block][head][slot of the block][piece of the head] → 16 bytes
/// </code>
/// A latent cache has one head, laid out as values are, and nothing else.
/// </remarks>
internal static class RopeAndCache
{
    /// <summary>Grid (heads + 2·kvHeads, rows), a wave each.</summary>
    /// <param name="qkv"><c>[rows, (heads + 2·kvHeads)·headDim]</c>, turned in place.</param>
    /// <param name="table"><c>[positions][cos of the pairs, then sin of them]</c>.</param>
    /// <param name="pairs">Pairs of a head that turn; 0 for none.</param>
    /// <param name="firstDim">First element that turns.</param>
    /// <param name="step">1 or 2.</param>
    /// <param name="pieces">Pieces of a head.</param>
    /// <param name="keyFactor">Multiplies keys before they are encoded.</param>
    /// <param name="valueFactor">The same for values.</param>
    public static void Run<TFormat, TElement>(
        ArrayView<float> qkv, ArrayView<float> table, ArrayView<int> positions, ArrayView<int> slots, ArrayView<TElement> keys,
        ArrayView<TElement> values, int heads, int kvHeads, int headDim, int pairs, int firstDim, int step, int pieces, int blockSize,
        float keyFactor, float valueFactor)
        where TFormat : struct, ICacheFormat<TElement>
        where TElement : unmanaged =>
        Run<TFormat, TElement>(
            qkv, table, positions, slots, keys, values, table, table, heads, kvHeads, headDim, pairs, firstDim, step, pieces, blockSize,
            keyFactor, valueFactor, 0f, hasNorms: false);

    /// <summary>The same after a norm of each query and key head (<see cref="Norms.RmsHeads"/>), whose bits it has.</summary>
    /// <param name="queryNorm"><c>[headDim]</c>.</param>
    /// <param name="keyNorm"><c>[headDim]</c>.</param>
    public static void RunNormed<TFormat, TElement>(
        ArrayView<float> qkv, ArrayView<float> table, ArrayView<int> positions, ArrayView<int> slots, ArrayView<TElement> keys,
        ArrayView<TElement> values, ArrayView<float> queryNorm, ArrayView<float> keyNorm, int heads, int kvHeads, int headDim, int pairs,
        int firstDim, int step, int pieces, int blockSize, float keyFactor, float valueFactor, float epsilon)
        where TFormat : struct, ICacheFormat<TElement>
        where TElement : unmanaged =>
        Run<TFormat, TElement>(
            qkv, table, positions, slots, keys, values, queryNorm, keyNorm, heads, kvHeads, headDim, pairs, firstDim, step, pieces,
            blockSize, keyFactor, valueFactor, epsilon, hasNorms: true);

    private static void Run<TFormat, TElement>(
        ArrayView<float> qkv, ArrayView<float> table, ArrayView<int> positions, ArrayView<int> slots, ArrayView<TElement> keys,
        ArrayView<TElement> values, ArrayView<float> queryNorm, ArrayView<float> keyNorm, int heads, int kvHeads, int headDim, int pairs,
        int firstDim, int step, int pieces, int blockSize, float keyFactor, float valueFactor, float epsilon, bool hasNorms)
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
            for (var i = Group.IdxX; slot >= 0 && i < headDim; i += Wave.Lanes)
            {
                values[(at + (long)inBlock * pieces) * format.Elements + i] = format.Encode(qkv[first + i] * valueFactor);
            }

            return;
        }

        var scale = 1f;
        if (hasNorms)
        {
            var sum = 0f;
            for (var i = Group.IdxX; i < headDim; i += Wave.Lanes)
            {
                sum = Native.Fma(qkv[first + i], qkv[first + i], sum);
            }

            scale = 1f / MathF.Sqrt(Wave.Sum(sum) / headDim + epsilon);
        }

        var apart = ApartOf(pairs, step);
        for (var i = Group.IdxX; i < pairs; i += Wave.Lanes)
        {
            // A pair's lane normalizes and turns both of its elements and stores both.
            var element = firstDim + i * step;
            if (hasNorms)
            {
                Normalize(qkv, first, element, scale, queryNorm, keyNorm, head < heads);
                Normalize(qkv, first, element + apart, scale, queryNorm, keyNorm, head < heads);
            }

            Turn(qkv, first + element, apart, table, (long)positions[row] * 2 * pairs + i, pairs);
            if (head >= heads && slot >= 0)
            {
                keys[KeyAt(at, element, inBlock, blockSize, format.Elements)] = format.Encode(qkv[first + element] * keyFactor);
                keys[KeyAt(at, element + apart, inBlock, blockSize, format.Elements)] =
                    format.Encode(qkv[first + element + apart] * keyFactor);
            }
        }

        for (var i = Group.IdxX; i < headDim; i += Wave.Lanes)
        {
            var isTurned = i >= firstDim && i < firstDim + 2 * pairs;
            if (hasNorms && !isTurned)
            {
                Normalize(qkv, first, i, scale, queryNorm, keyNorm, head < heads);
            }

            if (!isTurned && head >= heads && slot >= 0)
            {
                keys[KeyAt(at, i, inBlock, blockSize, format.Elements)] = format.Encode(qkv[first + i] * keyFactor);
            }
        }
    }

    /// <summary>Copies rows to a latent cache. Grid (rows), a wave each.</summary>
    /// <param name="latent"><c>[rows, headDim]</c>.</param>
    /// <param name="factor">Multiplies elements before they are encoded.</param>
    public static void WriteLatent<TFormat, TElement>(
        ArrayView<float> latent, ArrayView<int> slots, ArrayView<TElement> keys, int headDim, int pieces, float factor)
        where TFormat : struct, ICacheFormat<TElement>
        where TElement : unmanaged
    {
        var format = default(TFormat);
        var at = (long)slots[Grid.IdxX] * pieces * format.Elements;
        for (var i = Group.IdxX; at >= 0 && i < headDim; i += Wave.Lanes)
        {
            keys[at + i] = format.Encode(latent[(long)Grid.IdxX * headDim + i] * factor);
        }
    }

    /// <summary>Turns heads in place. Grid (heads, rows), a wave each.</summary>
    /// <param name="x"><c>[rows, stride]</c>.</param>
    /// <param name="firstHead">The first to turn.</param>
    public static void Rotate(
        ArrayView<float> x, ArrayView<float> table, ArrayView<int> positions, int stride, int firstHead, int headDim, int pairs,
        int firstDim, int step)
    {
        var first = (long)Grid.IdxY * stride + (firstHead + Grid.IdxX) * headDim + firstDim;
        for (var i = Group.IdxX; i < pairs; i += Wave.Lanes)
        {
            Turn(x, first + i * step, ApartOf(pairs, step), table, (long)positions[Grid.IdxY] * 2 * pairs + i, pairs);
        }
    }

    private static void Normalize(
        ArrayView<float> x, long first, int element, float scale, ArrayView<float> queryNorm, ArrayView<float> keyNorm, bool isQuery) =>
        x[first + element] = x[first + element] * scale * (isQuery ? queryNorm[element] : keyNorm[element]);

    private static int ApartOf(int pairs, int step) => step == 1 ? pairs : 1;

    private static void Turn(ArrayView<float> x, long at, int apart, ArrayView<float> table, long angle, int pairs)
    {
        var value = x[at];
        var other = x[at + apart];
        var cos = table[angle];
        var sin = table[angle + pairs];
        x[at] = Native.Fma(value, cos, -(other * sin));
        x[at + apart] = Native.Fma(other, cos, value * sin);
    }

    private static long KeyAt(long first, int element, int inBlock, int blockSize, int elements) =>
        (first + (long)(element / elements) * blockSize + inBlock) * elements + element % elements;
}
