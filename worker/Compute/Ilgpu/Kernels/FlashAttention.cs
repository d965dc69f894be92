using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Attention on matrix cores (Dao et al., FlashAttention, arXiv 2205.14135) over pages of the cache, for heads of up to 128
/// elements: a group of four waves has 64 rows that share keys and values, each wave 16. A row is a query head of a token; the heads of one
/// key head and as many tokens of a sequence as make 64 rows share a group. In decode that is one token.</summary>
/// <remarks>
/// Keys and values go through shared memory in tiles of 32 tokens, decoded once for all rows:
/// <code>
/// scores   [16 tokens, 16 rows] = keys   [16 tokens, head] · queries [head, 16 rows]     lane l: tokens 4·(l / 16) … + 3 of row l % 16
/// mixed  [16 elements, 16 rows] = values [16 elements, tokens] · weights [tokens, 16 rows]
/// </code>
/// A lane has the weights where the second product takes them, so that they never leave its registers: product i of a tile takes tokens i,
/// 4 + i, 8 + i and 12 + i.
/// A row's bits do not depend on the rows beside it: what a row does not see has weight 0, and adds nothing. Within a stretch of
/// <see cref="PagedAttention.Stretch"/> tokens the softmax goes on from tile to tile, stretches are merged as in
/// <see cref="PagedAttention"/>.
/// Bytes: keys and values once for each group.
/// </remarks>
internal static class FlashAttention
{
    /// <summary>Tokens of keys and values in shared memory.</summary>
    public const int TileTokens = 32;

    /// <summary>Most elements of a head.</summary>
    public const int MaxHeadDim = 128;

    /// <summary>Rows that share keys and values.</summary>
    /// <param name="waves">Of a group.</param>
    public static int RowsOf(int waves) => waves * MatrixCore.Tile;

    /// <summary>Grid (kvHeads · chunks of query heads, rows, splits); of a sequence's rows every n-th leads a group, the groups of the
    /// others end at once. Parameters as of <see cref="PagedAttention.Attend"/>.</summary>
    /// <param name="headsOfGroup">Query heads that share a group: up to <see cref="RowsOf"/>.</param>
    public static void Attend<TFormat, TElement, TTiles>(
        ArrayView<float> qkv, ArrayView<UInt4> keys, ArrayView<UInt4> values, ArrayView<int> positions, ArrayView<int> queryStarts,
        ArrayView<int> blockTables, ArrayView<float> slopes, ArrayView<float> sinks, ArrayView<float> temperatures, ArrayView<float> output,
        ArrayView<float> partial, ArrayView<uint> arrivals, int numSequences, int tableWidth, int rowColumns, int heads, int kvHeads,
        int headDim, int pieces, int blockSize, int headsOfGroup, int window, int chunk, int hasSlopes, int hasSinks, int hasTemperatures,
        float scale, float valueScale, float cap)
        where TFormat : struct, ICacheFormat<TElement>
        where TElement : unmanaged
        where TTiles : struct, IHeadTiles
    {
        // 32 KiB for heads of 128 elements, so that a compute unit has room for two groups.
        var keyTile = SharedMemory.Allocate<Float4>(TileTokens * 4 * default(TTiles).Count);
        var valueTile = SharedMemory.Allocate<Float4>(TileTokens * 4 * default(TTiles).Count);
        var tokensOfGroup = Group.DimY * MatrixCore.Tile / headsOfGroup;
        var leader = Grid.IdxY;
        var sequence = PartialSoftmax.SequenceOf(queryStarts, numSequences, leader);
        var start = queryStarts[sequence];
        if ((leader - start) % tokensOfGroup != 0)
        {
            return;
        }

        var tokens = Native.Min(tokensOfGroup, queryStarts[sequence + 1] - leader);
        var perKvHead = heads / kvHeads;
        var chunks = (perKvHead + headsOfGroup - 1) / headsOfGroup;
        var kvHead = Grid.IdxX / chunks;
        var firstHead = kvHead * perKvHead + Grid.IdxX % chunks * headsOfGroup;
        var numHeads = Native.Min(headsOfGroup, (kvHead + 1) * perKvHead - firstHead);
        var table = (long)sequence * tableWidth;

        // This lane's row.
        var (lane, part) = (Group.IdxX % MatrixCore.Tile, Group.IdxX / MatrixCore.Tile);
        var own = Group.IdxY * MatrixCore.Tile + lane;
        var isRow = own / headsOfGroup < tokens && own % headsOfGroup < numHeads;
        var row = leader + (isRow ? own / headsOfGroup : 0);
        var head = firstHead + (isRow ? own % headsOfGroup : 0);
        var position = positions[row];
        var seen = isRow ? PartialSoftmax.FirstSeen(position, window, chunk) : position + 1;
        var queries = Queries<TTiles>(qkv, (long)row * rowColumns + (long)head * headDim, part, isRow ? headDim : 0);
        var factor = hasTemperatures != 0 ? scale * temperatures[position] : scale;
        var slope = hasSlopes != 0 ? slopes[head] : 0f;

        var isSplit = Grid.DimZ > 1;
        var sink = hasSinks != 0 ? sinks[head] : PartialSoftmax.Nothing;
        var max = isSplit ? PartialSoftmax.Nothing : sink;
        var sum = max > PartialSoftmax.Nothing ? 1f : 0f;
        HeadQuads mixed = default;
        var groupSeen = PartialSoftmax.FirstSeen(positions[leader], window, chunk);
        var groupEnd = positions[leader + tokens - 1] + 1;
        var firstStretch = isSplit ? Grid.IdxZ : groupSeen / PagedAttention.Stretch;
        var endStretch = isSplit ? Grid.IdxZ + 1 : (groupEnd - 1) / PagedAttention.Stretch + 1;
        for (var stretch = firstStretch; stretch < endStretch; stretch++)
        {
            HeadQuads stretchMixed = default;
            var stretchMax = PartialSoftmax.Nothing;
            var stretchSum = 0f;
            var from = Native.Max(stretch * PagedAttention.Stretch, groupSeen / TileTokens * TileTokens);
            var end = Native.Min((stretch + 1) * PagedAttention.Stretch, groupEnd);
            for (var tile = from; tile < end; tile += TileTokens)
            {
                Load<TFormat, TElement, TTiles>(
                    keys, values, blockTables, table, tile, groupSeen, groupEnd, kvHead, kvHeads, pieces, blockSize, keyTile, valueTile);
                Group.Barrier();
                var first = tile + 4 * part;
                var low = Mask(Scores<TTiles>(keyTile, lane, part, queries), first, seen, position, factor, cap, slope);
                var high = Mask(
                    Scores<TTiles>(keyTile, lane + MatrixCore.Tile, part, queries), first + MatrixCore.Tile, seen, position, factor, cap,
                    slope);
                var tileMax = Wave.MaxOfSharers(Native.Max(Largest(low), Largest(high)));
                var newMax = Native.Max(stretchMax, tileMax);

                // Of a row that has seen nothing yet everything is 0, relative to whatever.
                var relative = newMax > PartialSoftmax.Nothing ? newMax : 0f;
                var rescale = Native.Exp(stretchMax - relative);
                low = Weights(low, relative);
                high = Weights(high, relative);
                stretchMax = newMax;
                stretchSum = Native.Fma(stretchSum, rescale, Total(low) + Total(high));
                stretchMixed = Mix<TTiles>(valueTile, lane, part, low, high, rescale, stretchMixed);
                Group.Barrier();
            }

            stretchSum = Wave.SumOfSharers(stretchSum);
            if (stretchMax > PartialSoftmax.Nothing)
            {
                mixed = Merge<TTiles>(mixed, max, stretchMixed, stretchMax);
                sum = PartialSoftmax.MergeSums(sum, max, stretchSum, stretchMax);
                max = Native.Max(max, stretchMax);
            }
        }

        if (isSplit)
        {
            if (isRow)
            {
                var at = (((long)Grid.IdxZ * Grid.DimY + row) * heads + head) * (headDim + 2);
                Store<TTiles>(mixed, 1f, 1f, partial, at, part, headDim);
                if (part == 0)
                {
                    partial[at + headDim] = max;
                    partial[at + headDim + 1] = sum;
                }
            }

            if (Arrivals.IsLast(arrivals, (long)leader * Grid.DimX + Grid.IdxX, Grid.DimZ, keyTile.Cast<int>()) && isRow)
            {
                var of = (long)row * heads + head;
                for (var element = part; element < headDim; element += Wave.Lanes / MatrixCore.Tile)
                {
                    output[of * headDim + element] = valueScale * PartialSoftmax.Combine(
                        partial, of, (long)Grid.DimY * heads * (headDim + 2), element, headDim, Grid.DimZ, sink);
                }
            }
        }
        else if (isRow)
        {
            Store<TTiles>(mixed, sum, valueScale, output, ((long)row * heads + head) * headDim, part, headDim);
        }
    }

    /// <summary>Decodes a tile of keys and values into shared memory; what no row sees, or no head has, is 0: blocks may hold anything
    /// there.</summary>
    private static void Load<TFormat, TElement, TTiles>(
        ArrayView<UInt4> keys, ArrayView<UInt4> values, ArrayView<int> blockTables, long table, int tile, int seen, int end, int kvHead,
        int kvHeads, int pieces, int blockSize, ArrayView<Float4> keyTile, ArrayView<Float4> valueTile)
        where TFormat : struct, ICacheFormat<TElement>
        where TElement : unmanaged
        where TTiles : struct, IHeadTiles
    {
        var format = default(TFormat);
        var quads = format.Elements / 4;
        var piecesOfTile = 4 * default(TTiles).Count / quads;
        var threads = Group.DimY * Wave.Lanes;
        for (var i = Group.IdxY * Wave.Lanes + Group.IdxX; i < TileTokens * piecesOfTile; i += threads)
        {
            // Neighbouring lanes: keys of neighbouring slots, and values of neighbouring pieces.
            var keyToken = i % TileTokens;
            var keyPiece = i / TileTokens;
            UInt4 key = default;
            if (tile + keyToken >= seen && tile + keyToken < end && keyPiece < pieces)
            {
                var token = tile + keyToken;
                var block = (long)blockTables[table + token / blockSize] * kvHeads + kvHead;
                key = keys[(block * pieces + keyPiece) * blockSize + token % blockSize];
            }

            var valueToken = i / piecesOfTile;
            var valuePiece = i % piecesOfTile;
            UInt4 value = default;
            if (tile + valueToken >= seen && tile + valueToken < end && valuePiece < pieces)
            {
                var token = tile + valueToken;
                var block = (long)blockTables[table + token / blockSize] * kvHeads + kvHead;
                value = values[(block * blockSize + token % blockSize) * pieces + valuePiece];
            }

            for (var quad = 0; quad < quads; quad++)
            {
                keyTile[KeyAt<TTiles>(keyToken, keyPiece * quads + quad)] = format.Quad(key, quad);
                valueTile[ValueAt<TTiles>(valueToken, valuePiece * quads + quad)] = format.Quad(value, quad);
            }
        }
    }

    /// <summary>Where a quad of a key lies: eight lanes that read a quad of neighbouring tokens find them in different banks.</summary>
    private static int KeyAt<TTiles>(int token, int quad)
        where TTiles : struct, IHeadTiles => token * 4 * default(TTiles).Count + (quad ^ (token & 7));

    /// <summary>Where a quad of a value lies: lanes read 16 neighbouring elements, of tokens that are four apart, and every second four
    /// tokens have theirs moved by as many.</summary>
    private static int ValueAt<TTiles>(int token, int quad)
        where TTiles : struct, IHeadTiles =>
        token * 4 * default(TTiles).Count + ((quad + (token & 4)) & (4 * default(TTiles).Count - 1));

    /// <summary>A lane's elements of its row's query: four of each tile of 16.</summary>
    private static HeadQuads Queries<TTiles>(ArrayView<float> qkv, long at, int part, int headDim)
        where TTiles : struct, IHeadTiles
    {
        HeadQuads queries = default;
        queries.A = default(AnyInput).Quad(qkv, at, 4 * part, headDim);
        queries.B = default(AnyInput).Quad(qkv, at, 16 + 4 * part, headDim);
        queries.C = default(AnyInput).Quad(qkv, at, 32 + 4 * part, headDim);
        queries.D = default(AnyInput).Quad(qkv, at, 48 + 4 * part, headDim);
        if (default(TTiles).Count > 4)
        {
            queries.E = default(AnyInput).Quad(qkv, at, 64 + 4 * part, headDim);
            queries.F = default(AnyInput).Quad(qkv, at, 80 + 4 * part, headDim);
            queries.G = default(AnyInput).Quad(qkv, at, 96 + 4 * part, headDim);
            queries.H = default(AnyInput).Quad(qkv, at, 112 + 4 * part, headDim);
        }

        return queries;
    }

    /// <summary>Of 16 tokens, of which the lane holds one as the left operand.</summary>
    private static Float4 Scores<TTiles>(ArrayView<Float4> keyTile, int token, int part, HeadQuads queries)
        where TTiles : struct, IHeadTiles
    {
        Float4 scores = default;
        scores = Multiply(keyTile[KeyAt<TTiles>(token, part)], queries.A, scores);
        scores = Multiply(keyTile[KeyAt<TTiles>(token, 4 + part)], queries.B, scores);
        scores = Multiply(keyTile[KeyAt<TTiles>(token, 8 + part)], queries.C, scores);
        scores = Multiply(keyTile[KeyAt<TTiles>(token, 12 + part)], queries.D, scores);
        if (default(TTiles).Count > 4)
        {
            scores = Multiply(keyTile[KeyAt<TTiles>(token, 16 + part)], queries.E, scores);
            scores = Multiply(keyTile[KeyAt<TTiles>(token, 20 + part)], queries.F, scores);
            scores = Multiply(keyTile[KeyAt<TTiles>(token, 24 + part)], queries.G, scores);
            scores = Multiply(keyTile[KeyAt<TTiles>(token, 28 + part)], queries.H, scores);
        }

        return scores;
    }

    private static Float4 Multiply(Float4 keys, Float4 queries, Float4 scores)
    {
        scores = MatrixCore.MultiplyAdd(keys.X, queries.X, scores);
        scores = MatrixCore.MultiplyAdd(keys.Y, queries.Y, scores);
        scores = MatrixCore.MultiplyAdd(keys.Z, queries.Z, scores);
        return MatrixCore.MultiplyAdd(keys.W, queries.W, scores);
    }

    /// <summary>Scores of tokens first to first + 3, as the softmax takes them.</summary>
    private static Float4 Mask(Float4 scores, int first, int seen, int position, float factor, float cap, float slope)
    {
        scores.X = Mask(scores.X, first, seen, position, factor, cap, slope);
        scores.Y = Mask(scores.Y, first + 1, seen, position, factor, cap, slope);
        scores.Z = Mask(scores.Z, first + 2, seen, position, factor, cap, slope);
        scores.W = Mask(scores.W, first + 3, seen, position, factor, cap, slope);
        return scores;
    }

    private static float Mask(float score, int token, int seen, int position, float factor, float cap, float slope)
    {
        score *= factor;
        score = cap > 0f ? cap * Native.Tanh(score / cap) : score;
        return token >= seen && token <= position ? score + slope * (token - position) : PartialSoftmax.Nothing;
    }

    private static Float4 Weights(Float4 scores, float max)
    {
        scores.X = Weight(scores.X, max);
        scores.Y = Weight(scores.Y, max);
        scores.Z = Weight(scores.Z, max);
        scores.W = Weight(scores.W, max);
        return scores;
    }

    private static float Weight(float score, float max) => score > PartialSoftmax.Nothing ? Native.Exp(score - max) : 0f;

    private static float Largest(Float4 values) => Native.Max(Native.Max(values.X, values.Y), Native.Max(values.Z, values.W));

    private static float Total(Float4 values) => (values.X + values.Y) + (values.Z + values.W);

    /// <summary>Adds a tile's values, weighted.</summary>
    private static HeadQuads Mix<TTiles>(
        ArrayView<Float4> valueTile, int lane, int part, Float4 low, Float4 high, float rescale, HeadQuads mixed)
        where TTiles : struct, IHeadTiles
    {
        var values = valueTile.Cast<float>();
        var stride = 16 * default(TTiles).Count;
        var at = 4 * part * stride + lane;

        // See ValueAt: of a lane's tokens all are moved, or none.
        var moved = 16 * (part & 1);
        mixed.A = Mix(values, at + moved, stride, low, high, rescale, mixed.A);
        mixed.B = Mix(values, at + ((16 + moved) & (stride - 1)), stride, low, high, rescale, mixed.B);
        mixed.C = Mix(values, at + ((32 + moved) & (stride - 1)), stride, low, high, rescale, mixed.C);
        mixed.D = Mix(values, at + ((48 + moved) & (stride - 1)), stride, low, high, rescale, mixed.D);
        if (default(TTiles).Count > 4)
        {
            mixed.E = Mix(values, at + ((64 + moved) & (stride - 1)), stride, low, high, rescale, mixed.E);
            mixed.F = Mix(values, at + ((80 + moved) & (stride - 1)), stride, low, high, rescale, mixed.F);
            mixed.G = Mix(values, at + ((96 + moved) & (stride - 1)), stride, low, high, rescale, mixed.G);
            mixed.H = Mix(values, at + ((112 + moved) & (stride - 1)), stride, low, high, rescale, mixed.H);
        }

        return mixed;
    }

    private static Float4 Mix(ArrayView<float> values, int at, int stride, Float4 low, Float4 high, float rescale, Float4 mixed)
    {
        mixed.X *= rescale;
        mixed.Y *= rescale;
        mixed.Z *= rescale;
        mixed.W *= rescale;
        mixed = MatrixCore.MultiplyAdd(values[at], low.X, mixed);
        mixed = MatrixCore.MultiplyAdd(values[at + stride], low.Y, mixed);
        mixed = MatrixCore.MultiplyAdd(values[at + 2 * stride], low.Z, mixed);
        mixed = MatrixCore.MultiplyAdd(values[at + 3 * stride], low.W, mixed);
        at += MatrixCore.Tile * stride;
        mixed = MatrixCore.MultiplyAdd(values[at], high.X, mixed);
        mixed = MatrixCore.MultiplyAdd(values[at + stride], high.Y, mixed);
        mixed = MatrixCore.MultiplyAdd(values[at + 2 * stride], high.Z, mixed);
        return MatrixCore.MultiplyAdd(values[at + 3 * stride], high.W, mixed);
    }

    private static HeadQuads Merge<TTiles>(HeadQuads mixed, float max, HeadQuads part, float partMax)
        where TTiles : struct, IHeadTiles
    {
        mixed.A = PartialSoftmax.Merge(mixed.A, max, part.A, partMax);
        mixed.B = PartialSoftmax.Merge(mixed.B, max, part.B, partMax);
        mixed.C = PartialSoftmax.Merge(mixed.C, max, part.C, partMax);
        mixed.D = PartialSoftmax.Merge(mixed.D, max, part.D, partMax);
        if (default(TTiles).Count > 4)
        {
            mixed.E = PartialSoftmax.Merge(mixed.E, max, part.E, partMax);
            mixed.F = PartialSoftmax.Merge(mixed.F, max, part.F, partMax);
            mixed.G = PartialSoftmax.Merge(mixed.G, max, part.G, partMax);
            mixed.H = PartialSoftmax.Merge(mixed.H, max, part.H, partMax);
        }

        return mixed;
    }

    /// <summary>Stores a lane's elements of its row, divided by the sum and times a factor.</summary>
    private static void Store<TTiles>(
        HeadQuads mixed, float sum, float factor, ArrayView<float> output, long at, int part, int headDim)
        where TTiles : struct, IHeadTiles
    {
        Store(mixed.A, sum, factor, output, at, 4 * part, headDim);
        Store(mixed.B, sum, factor, output, at, 16 + 4 * part, headDim);
        Store(mixed.C, sum, factor, output, at, 32 + 4 * part, headDim);
        Store(mixed.D, sum, factor, output, at, 48 + 4 * part, headDim);
        if (default(TTiles).Count > 4)
        {
            Store(mixed.E, sum, factor, output, at, 64 + 4 * part, headDim);
            Store(mixed.F, sum, factor, output, at, 80 + 4 * part, headDim);
            Store(mixed.G, sum, factor, output, at, 96 + 4 * part, headDim);
            Store(mixed.H, sum, factor, output, at, 112 + 4 * part, headDim);
        }
    }

    private static void Store(Float4 mixed, float sum, float factor, ArrayView<float> output, long at, int element, int headDim)
    {
        if (element < headDim)
        {
            output[at + element] = mixed.X / sum * factor;
        }

        if (element + 1 < headDim)
        {
            output[at + element + 1] = mixed.Y / sum * factor;
        }

        if (element + 2 < headDim)
        {
            output[at + element + 2] = mixed.Z / sum * factor;
        }

        if (element + 3 < headDim)
        {
            output[at + element + 3] = mixed.W / sum * factor;
        }
    }
}
