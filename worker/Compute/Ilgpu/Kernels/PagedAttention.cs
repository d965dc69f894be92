using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Causal attention over pages. A group has one row and up to <see cref="MaxHeads"/> query heads that share a key/value
/// head.</summary>
/// <remarks>The context is cut into stretches of <see cref="Stretch"/> tokens at fixed places. Each gives a maximum, a sum and a weighted
/// mean of its own, from nothing but its own tokens; they are merged in order (<see cref="PartialSoftmax.Merge"/>). Whether one group
/// walks all stretches or each has a group of its own, the arithmetic is the same, and so are the bits.</remarks>
internal static class PagedAttention
{
    /// <summary>Tokens of a stretch.</summary>
    public const int Stretch = 256;

    /// <summary>Most query heads of a group.</summary>
    public const int MaxHeads = 8;

    /// <summary>Most elements of all query heads of a group.</summary>
    public const int MaxElements = 2048;

    /// <summary>Grid (kvHeads · chunks of query heads, rows, splits). With one split a group walks all stretches and writes
    /// <paramref name="output"/>; with more, each has the stretch of its number and writes <paramref name="partial"/>.</summary>
    /// <param name="qkv"><c>[rows, rowColumns]</c>, the query heads first.</param>
    /// <param name="keys">See <see cref="RopeAndCache"/>; of a latent cache the same as <paramref name="values"/>.</param>
    /// <param name="slopes"><c>[heads]</c> of ALiBi; read where <paramref name="hasSlopes"/> is 1.</param>
    /// <param name="sinks"><c>[heads]</c>: scores without values; read where <paramref name="hasSinks"/> is 1.</param>
    /// <param name="temperatures"><c>[positions]</c>: factors of a query's scores; read where <paramref name="hasTemperatures"/> is
    /// 1.</param>
    /// <param name="partial"><c>[splits][rows][heads][valueDim + 2]</c>: the mean times the sum, the maximum, the sum.</param>
    /// <param name="arrivals"><c>[rows][groups of a row]</c>, zeros: see <see cref="Arrivals"/>.</param>
    /// <param name="numSequences">Sequences; row t is one's whose query starts are around it.</param>
    /// <param name="valueDim">Elements of a value: in a latent cache the first of a key, else as many as a key has.</param>
    /// <param name="isLatent">1 where a token's key is one run of pieces, as values are.</param>
    /// <param name="headsOfGroup">Query heads of a chunk.</param>
    /// <param name="window">Keys further back are masked; 0 for none.</param>
    /// <param name="chunk">Keys before the last multiple of it are masked; 0 for none.</param>
    /// <param name="valueScale">Multiplies values.</param>
    /// <param name="cap">Of scores; 0 for none.</param>
    public static void Attend<TFormat, TElement>(
        ArrayView<float> qkv, ArrayView<UInt4> keys, ArrayView<UInt4> values, ArrayView<int> positions, ArrayView<int> queryStarts,
        ArrayView<int> blockTables, ArrayView<float> slopes, ArrayView<float> sinks, ArrayView<float> temperatures, ArrayView<float> output,
        ArrayView<float> partial, ArrayView<uint> arrivals, int numSequences, int tableWidth, int rowColumns, int heads, int kvHeads,
        int headDim, int valueDim, int pieces, int blockSize, int isLatent, int headsOfGroup, int window, int chunk, int hasSlopes,
        int hasSinks, int hasTemperatures, float scale, float valueScale, float cap)
        where TFormat : struct, ICacheFormat<TElement>
        where TElement : unmanaged
    {
        var queries = SharedMemory.Allocate<Float4>(MaxElements / 4);
        var mixed = SharedMemory.Allocate<Float4>(MaxElements / 4);
        var parts = SharedMemory.Allocate<Float4>(MaxElements / 4);
        var weights = SharedMemory.Allocate<float>(MaxHeads * Stretch);
        var state = SharedMemory.Allocate<float>(MaxHeads * 4);
        var format = default(TFormat);
        var threads = Group.DimY * Wave.Lanes;
        var thread = Group.IdxY * Wave.Lanes + Group.IdxX;
        var perKvHead = heads / kvHeads;
        var chunks = (perKvHead + headsOfGroup - 1) / headsOfGroup;
        var kvHead = Grid.IdxX / chunks;
        var firstHead = kvHead * perKvHead + Grid.IdxX % chunks * headsOfGroup;
        var numHeads = Native.Min(headsOfGroup, (kvHead + 1) * perKvHead - firstHead);
        var row = Grid.IdxY;
        var position = positions[row];
        var table = (long)PartialSoftmax.SequenceOf(queryStarts, numSequences, row) * tableWidth;
        var quads = pieces * format.Elements / 4;
        var valueQuads = (valueDim + 3) / 4;
        var rowAt = (long)row * rowColumns + (long)firstHead * headDim;

        // Queries, padded with zeros to whole pieces as the cache is; nothing is mixed yet.
        for (var i = thread; i < numHeads * quads; i += threads)
        {
            var element = i % quads * 4;
            queries[i] = default(AnyInput).Quad(qkv, rowAt + (long)(i / quads) * headDim, element, headDim);
            mixed[i] = default;
        }

        // A sink is a score that the softmax has seen before the first stretch; where stretches are shared out, Combine begins with it.
        var isSplit = Grid.DimZ > 1;
        for (var head = thread; head < numHeads; head += threads)
        {
            var hasSink = hasSinks != 0 && !isSplit;
            state[2 * head] = hasSink ? sinks[firstHead + head] : PartialSoftmax.Nothing;
            state[2 * head + 1] = hasSink ? 1f : 0f;
        }

        Group.Barrier();
        var factor = hasTemperatures != 0 ? scale * temperatures[position] : scale;
        var firstSeen = PartialSoftmax.FirstSeen(position, window, chunk);
        var firstStretch = isSplit ? Grid.IdxZ : firstSeen / Stretch;
        var endStretch = isSplit ? Grid.IdxZ + 1 : position / Stretch + 1;
        for (var stretch = firstStretch; stretch < endStretch; stretch++)
        {
            var from = Native.Max(stretch * Stretch, firstSeen);
            var to = Native.Min((stretch + 1) * Stretch, position + 1);
            if (from >= to)
            {
                continue;
            }

            // Scores: a thread has a token and a head.
            for (var i = thread; i < numHeads * Stretch; i += threads)
            {
                var head = i / Stretch;
                var token = stretch * Stretch + i % Stretch;
                weights[i] = token >= from && token < to
                    ? Score<TFormat, TElement>(
                        queries, keys, blockTables, table, token, head * quads, kvHead, kvHeads, pieces, blockSize, isLatent, factor, cap)
                        + (hasSlopes != 0 ? slopes[firstHead + head] * (token - position) : 0f)
                    : PartialSoftmax.Nothing;
            }

            Group.Barrier();

            // Weights: a wave has a head. All waves go round as often, because they wait for each other.
            for (var round = 0; round < numHeads; round += Group.DimY)
            {
                var head = round + Group.IdxY;
                var isOwn = head < numHeads;
                var max = PartialSoftmax.Nothing;
                for (var i = Group.IdxX; isOwn && i < Stretch; i += Wave.Lanes)
                {
                    max = Native.Max(weights[head * Stretch + i], max);
                }

                max = Wave.Max(max);
                var sum = 0f;
                for (var i = Group.IdxX; isOwn && i < Stretch; i += Wave.Lanes)
                {
                    var score = weights[head * Stretch + i];
                    var weight = score > PartialSoftmax.Nothing ? Native.Exp(score - max) : 0f;
                    weights[head * Stretch + i] = weight;
                    sum += weight;
                }

                sum = Wave.Sum(sum);
                if (isOwn && Group.IdxX == 0)
                {
                    state[2 * MaxHeads + 2 * head] = max;
                    state[2 * MaxHeads + 2 * head + 1] = sum;
                }
            }

            Group.Barrier();

            // Values: a thread has four elements of a head and, where there are threads enough, every n-th token.
            var items = numHeads * valueQuads;
            var shares = items < threads ? threads / items : 1;
            for (var i = thread; i < items * shares; i += threads)
            {
                var item = i % items;
                var head = item / valueQuads;
                var quad = item % valueQuads;
                Float4 part = default;
                for (var token = from + (i / items + shares - from % shares) % shares; token < to; token += shares)
                {
                    var block = blockTables[table + token / blockSize];
                    var at = (((long)block * kvHeads + kvHead) * blockSize + token % blockSize) * pieces + quad * 4 / format.Elements;
                    var value = format.Quad(values[at], quad % (format.Elements / 4));
                    part = MultiplyAdd(value, weights[head * Stretch + token - stretch * Stretch], part);
                }

                parts[i] = part;
            }

            Group.Barrier();
            for (var item = thread; item < items; item += threads)
            {
                var part = parts[item];
                for (var share = 1; share < shares; share++)
                {
                    part = Add(part, parts[share * items + item]);
                }

                var head = item / valueQuads;
                mixed[item] = PartialSoftmax.Merge(mixed[item], state[2 * head], part, state[2 * MaxHeads + 2 * head]);
            }

            Group.Barrier();
            for (var head = thread; head < numHeads; head += threads)
            {
                var max = state[2 * head];
                state[2 * head + 1] = PartialSoftmax.MergeSums(
                    state[2 * head + 1], max, state[2 * MaxHeads + 2 * head + 1], state[2 * MaxHeads + 2 * head]);
                state[2 * head] = Native.Max(max, state[2 * MaxHeads + 2 * head]);
            }

            Group.Barrier();
        }

        for (var i = thread; i < numHeads * valueDim; i += threads)
        {
            var head = i / valueDim;
            var element = i % valueDim;
            var value = mixed[head * valueQuads + element / 4];
            var chosen = element % 4 == 0 ? value.X : element % 4 == 1 ? value.Y : element % 4 == 2 ? value.Z : value.W;
            if (isSplit)
            {
                var at = (((long)Grid.IdxZ * Grid.DimY + row) * heads + firstHead + head) * (valueDim + 2);
                partial[at + element] = chosen;
                if (element == 0)
                {
                    partial[at + valueDim] = state[2 * head];
                    partial[at + valueDim + 1] = state[2 * head + 1];
                }
            }
            else
            {
                output[((long)row * heads + firstHead + head) * valueDim + element] = chosen / state[2 * head + 1] * valueScale;
            }
        }

        if (isSplit && Arrivals.IsLast(arrivals, (long)row * Grid.DimX + Grid.IdxX, Grid.DimZ, weights.Cast<int>()))
        {
            var first = (long)row * heads + firstHead;
            for (var i = thread; i < numHeads * valueDim; i += threads)
            {
                var sink = hasSinks != 0 ? sinks[firstHead + i / valueDim] : PartialSoftmax.Nothing;
                output[first * valueDim + i] = valueScale * PartialSoftmax.Combine(
                    partial, first + i / valueDim, (long)Grid.DimY * heads * (valueDim + 2), i % valueDim, valueDim, Grid.DimZ, sink);
            }
        }
    }

    private static float Score<TFormat, TElement>(
        ArrayView<Float4> queries, ArrayView<UInt4> keys, ArrayView<int> blockTables, long table, int token, int query, int kvHead,
        int kvHeads, int pieces, int blockSize, int isLatent, float scale, float cap)
        where TFormat : struct, ICacheFormat<TElement>
        where TElement : unmanaged
    {
        var format = default(TFormat);
        var block = blockTables[table + token / blockSize];
        var step = isLatent != 0 ? 1 : blockSize;
        var at = ((long)block * kvHeads + kvHead) * pieces * blockSize + (long)(token % blockSize) * (isLatent != 0 ? pieces : 1);
        var sum = 0f;
        for (var piece = 0; piece < pieces; piece++)
        {
            var key = keys[at + (long)piece * step];
            for (var quad = 0; quad < format.Elements / 4; quad++)
            {
                var k = format.Quad(key, quad);
                var q = queries[query + piece * (format.Elements / 4) + quad];
                sum = Native.Fma(q.X, k.X, sum);
                sum = Native.Fma(q.Y, k.Y, sum);
                sum = Native.Fma(q.Z, k.Z, sum);
                sum = Native.Fma(q.W, k.W, sum);
            }
        }

        sum *= scale;
        return cap > 0f ? cap * Native.Tanh(sum / cap) : sum;
    }

    private static Float4 MultiplyAdd(Float4 value, float weight, Float4 sum)
    {
        sum.X = Native.Fma(value.X, weight, sum.X);
        sum.Y = Native.Fma(value.Y, weight, sum.Y);
        sum.Z = Native.Fma(value.Z, weight, sum.Z);
        sum.W = Native.Fma(value.W, weight, sum.W);
        return sum;
    }

    private static Float4 Add(Float4 a, Float4 b)
    {
        a.X += b.X;
        a.Y += b.Y;
        a.Z += b.Z;
        a.W += b.W;
        return a;
    }
}
