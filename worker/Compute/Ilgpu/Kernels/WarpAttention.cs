using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Attention by matrix instructions of warps over pages of the cache, for heads of up to 128 elements: a group of eight warps has
/// 128 rows that share keys and values, each warp 16. What <see cref="FlashAttention"/> is for waves, with the same stretches.</summary>
/// <remarks>
/// Keys and values go through shared memory in tiles of 32 tokens (<see cref="WarpCacheTiles"/>), as 16-bit floats whose sum is what the
/// cache has. Queries and weights of the softmax become sums of 16-bit floats as inputs of linear layers do (<see cref="ITerms"/>): with
/// three of them every product is exact.
/// <code>
/// scores [16 rows, 8 tokens]   = queries [16 rows, head] · keys [head, 8 tokens]     lane l: two tokens of rows l / 4 and l / 4 + 8
/// mixed  [16 rows, 8 elements] = weights [16 rows, 16 tokens] · values [16 tokens, 8 elements]
/// </code>
/// A lane's scores are those of tokens 8·(l % 4) to 8·(l % 4) + 7 of a tile, two of each instruction, and so it has the weights where the
/// second product takes them: they never leave its registers.
/// A row's bits do not depend on the rows beside it: what a row does not see has weight 0, and adds nothing. A row's products are added
/// in one order: of a tile's scores eight elements of each of four lanes, terms of keys, terms of queries; of values tokens, terms of
/// values, terms of weights. What is mixed of stretches that are walked lies in the output until the last, so that registers have room for
/// one stretch; it is merged as <see cref="PartialSoftmax.Combine"/> does.
/// Bytes: keys and values once for each group.
/// </remarks>
internal static class WarpAttention
{
    /// <summary>Tokens of keys and values in shared memory.</summary>
    public const int TileTokens = 32;

    /// <summary>Rows that share keys and values.</summary>
    public const int Rows = WarpMatrix.MaxWarps * WarpMatrix.Outputs;

    /// <summary>Rows that share keys and values where warps share the rows' work.</summary>
    public const int SharedRows = WarpMatrix.Outputs;

    /// <summary>Grid and parameters as of <see cref="FlashAttention.Attend"/>, with up to <see cref="Rows"/> query heads of a group, or
    /// <see cref="SharedRows"/>; four waves.</summary>
    public static void Attend<TCache, THalf, TTerms, TTiles, TShare>(
        ArrayView<float> qkv, ArrayView<UInt4> keys, ArrayView<UInt4> values, ArrayView<int> positions, ArrayView<int> queryStarts,
        ArrayView<int> blockTables, ArrayView<float> slopes, ArrayView<float> sinks, ArrayView<float> temperatures, ArrayView<float> output,
        ArrayView<float> partial, ArrayView<uint> arrivals, int numSequences, int tableWidth, int rowColumns, int heads, int kvHeads,
        int headDim, int pieces, int blockSize, int headsOfGroup, int window, int chunk, int hasSlopes, int hasSinks, int hasTemperatures,
        float scale, float valueScale, float cap)
        where TCache : struct, ICacheTerms
        where THalf : struct, IHalfFormat
        where TTerms : struct, ITerms
        where TTiles : struct, IHeadTiles
        where TShare : struct, IWarpShare
    {
        var keyTile = SharedMemory.Allocate<UInt4>(TileTokens * 2 * default(TTiles).Count * default(TCache).Count);
        var valueTile = SharedMemory.Allocate<UInt4>(TileTokens * 2 * default(TTiles).Count * default(TCache).Count);
        var tokensOfGroup = (default(TShare).IsOfTokens ? SharedRows : Rows) / headsOfGroup;
        var leader = Grid.IdxY;
        var sequence = PartialSoftmax.SequenceOf(queryStarts, numSequences, leader);
        if ((leader - queryStarts[sequence]) % tokensOfGroup != 0)
        {
            return;
        }

        var tokens = Native.Min(tokensOfGroup, queryStarts[sequence + 1] - leader);
        var perKvHead = heads / kvHeads;
        var chunks = (perKvHead + headsOfGroup - 1) / headsOfGroup;
        var kvHead = Grid.IdxX / chunks;
        var firstHead = kvHead * perKvHead + Grid.IdxX % chunks * headsOfGroup;
        var numHeads = Native.Min(headsOfGroup, (kvHead + 1) * perKvHead - firstHead);
        var pages = new CachePages(
            keys, values, blockTables, (long)sequence * tableWidth, kvHead, kvHeads, pieces, blockSize);

        // This lane's rows.
        var own = (default(TShare).IsOfTokens ? 0 : WarpMatrix.Warp * WarpMatrix.Outputs) + WarpMatrix.Line;
        var upper = RowOf(
            own, leader, tokens, firstHead, numHeads, headsOfGroup, positions, slopes, sinks, temperatures, rowColumns, heads, headDim,
            window, chunk, hasSlopes, hasSinks, hasTemperatures, scale);
        var lower = RowOf(
            own + OutputSquare.Apart, leader, tokens, firstHead, numHeads, headsOfGroup, positions, slopes, sinks, temperatures, rowColumns,
            heads, headDim, window, chunk, hasSlopes, hasSinks, hasTemperatures, scale);
        var queries = WarpScores.Keep<TTerms, TTiles>(qkv, upper, lower, headDim);

        // Warps without rows bring keys and values, and do no more, where a warp may go its own way.
        var hasRows = default(TShare).IsOfTokens || WarpMatrix.Warp * WarpMatrix.Outputs < tokens * headsOfGroup
            || WarpMatrix.NeedsGroup() != 0;
        var quarter = WarpMatrix.Warp & 3;
        var isSplit = Grid.DimZ > 1;
        var upperTotal = Begin(upper, isSplit);
        var lowerTotal = Begin(lower, isSplit);
        var groupSeen = PartialSoftmax.FirstSeen(positions[leader], window, chunk);
        var groupEnd = positions[leader + tokens - 1] + 1;
        var firstStretch = isSplit ? Grid.IdxZ : groupSeen / PagedAttention.Stretch;
        var endStretch = isSplit ? Grid.IdxZ + 1 : (groupEnd - 1) / PagedAttention.Stretch + 1;
        var first = Native.Max(firstStretch * PagedAttention.Stretch, groupSeen / TileTokens * TileTokens);
        var last = Native.Min(endStretch * PagedAttention.Stretch, groupEnd);
        var staged = WarpCacheTiles.Read<TCache, TTiles>(pages, first, groupSeen, last);
        for (var stretch = firstStretch; stretch < endStretch; stretch++)
        {
            HeadQuads low = default;
            HeadQuads high = default;
            var upperPart = Nothing();
            var lowerPart = Nothing();
            var end = Native.Min((stretch + 1) * PagedAttention.Stretch, last);
            for (var tile = Native.Max(stretch * PagedAttention.Stretch, first); tile < end; tile += TileTokens)
            {
                Group.Barrier();
                WarpCacheTiles.Write<TCache, TTiles>(staged, keyTile, valueTile);
                staged = WarpCacheTiles.Read<TCache, TTiles>(pages, tile + TileTokens, groupSeen, last);
                Group.Barrier();
                if (hasRows)
                {
                    var ownScores = WarpScores.Of<TCache, THalf, TTerms, TTiles, TShare>(
                        keyTile, qkv, upper, lower, headDim, queries, tile + 8 * WarpMatrix.Sharer, cap, quarter);
                    var scores = default(TShare).IsOfTokens
                        ? WarpScores.Gather(ownScores.A, quarter, SharedMemory.Allocate<Float4>(4 * WarpMatrix.Lanes))
                        : ownScores;

                    var upperMax = Native.Max(upperPart.Max, WarpMatrix.MaxOfQuad(scores.LargestOfUpper()));
                    var lowerMax = Native.Max(lowerPart.Max, WarpMatrix.MaxOfQuad(scores.LargestOfLower()));

                    // Of a row that has seen nothing yet everything is 0, relative to whatever.
                    var upperRelative = upperMax > PartialSoftmax.Nothing ? upperMax : 0f;
                    var lowerRelative = lowerMax > PartialSoftmax.Nothing ? lowerMax : 0f;
                    var upperRescale = Native.Exp(upperPart.Max - upperRelative);
                    var lowerRescale = Native.Exp(lowerPart.Max - lowerRelative);
                    scores = default(TShare).IsOfTokens
                        ? WarpScores.Gather(
                            WarpScores.Weights(ownScores.A, upperRelative, lowerRelative), quarter,
                            SharedMemory.Allocate<Float4>(4 * WarpMatrix.Lanes))
                        : WarpScores.Weights(scores, upperRelative, lowerRelative);
                    upperPart.Max = upperMax;
                    lowerPart.Max = lowerMax;
                    upperPart.Sum = Native.Fma(upperPart.Sum, upperRescale, scores.TotalOfUpper());
                    lowerPart.Sum = Native.Fma(lowerPart.Sum, lowerRescale, scores.TotalOfLower());
                    var left = default(TTerms).Split(scores.A, scores.B);
                    var right = default(TTerms).Split(scores.C, scores.D);
                    if (default(TShare).IsOfTokens)
                    {
                        low = MixShare<TCache, THalf, TTerms, TTiles>(valueTile, left, right, upperRescale, lowerRescale, low);
                    }
                    else
                    {
                        low = Mix<TCache, THalf, TTerms, TTiles>(valueTile, 0, left, right, upperRescale, lowerRescale, low);
                    }

                    if (!default(TShare).IsOfTokens && default(TTiles).Count > 4)
                    {
                        high = Mix<TCache, THalf, TTerms, TTiles>(valueTile, 64, left, right, upperRescale, lowerRescale, high);
                    }
                }
            }

            if (hasRows)
            {
                upperPart.Sum = WarpMatrix.SumOfQuad(upperPart.Sum);
                lowerPart.Sum = WarpMatrix.SumOfQuad(lowerPart.Sum);
                var isFirst = stretch == firstStretch;
                var isLast = !isSplit && stretch == endStretch - 1;
                var to = isSplit ? partial : output;
                var upperAt = isSplit ? PartOf(upper, heads, headDim) : upper.Number * headDim;
                var lowerAt = isSplit ? PartOf(lower, heads, headDim) : lower.Number * headDim;
                var upperMerge = new StretchMerge(upperTotal, upperPart, upperAt, upper.Elements, isFirst, isLast, valueScale);
                var lowerMerge = new StretchMerge(lowerTotal, lowerPart, lowerAt, lower.Elements, isFirst, isLast, valueScale);
                upperTotal = upperMerge.Total;
                lowerTotal = lowerMerge.Total;
                if (default(TShare).IsOfTokens)
                {
                    Merge(low, FirstOfShare<TTiles>(), ElementsOfShare<TTiles>(), upperMerge, lowerMerge, to);
                }
                else
                {
                    Merge(low, 0, 64, upperMerge, lowerMerge, to);
                }

                if (!default(TShare).IsOfTokens && default(TTiles).Count > 4)
                {
                    Merge(high, 64, 64, upperMerge, lowerMerge, to);
                }
            }
        }

        if (isSplit)
        {
            Leave(upper, upperTotal, heads, headDim, partial);
            Leave(lower, lowerTotal, heads, headDim, partial);
            if (Arrivals.IsLast(arrivals, (long)leader * Grid.DimX + Grid.IdxX, Grid.DimZ, keyTile.Cast<int>()))
            {
                Combine<TShare>(upper, headDim, heads, valueScale, partial, output);
                Combine<TShare>(lower, headDim, heads, valueScale, partial, output);
            }
        }
    }

    private static WarpRow RowOf(
        int own, int leader, int tokens, int firstHead, int numHeads, int headsOfGroup, ArrayView<int> positions, ArrayView<float> slopes,
        ArrayView<float> sinks, ArrayView<float> temperatures, int rowColumns, int heads, int headDim, int window, int chunk, int hasSlopes,
        int hasSinks, int hasTemperatures, float scale)
    {
        var isRow = own / headsOfGroup < tokens && own % headsOfGroup < numHeads;
        var row = leader + (isRow ? own / headsOfGroup : 0);
        var head = firstHead + (isRow ? own % headsOfGroup : 0);
        WarpRow all;
        all.Query = (long)row * rowColumns + (long)head * headDim;
        all.Number = (long)row * heads + head;
        all.Elements = isRow ? headDim : 0;
        all.Position = positions[row];
        all.Seen = isRow ? PartialSoftmax.FirstSeen(all.Position, window, chunk) : all.Position + 1;
        all.Factor = hasTemperatures != 0 ? scale * temperatures[all.Position] : scale;
        all.Slope = hasSlopes != 0 ? slopes[head] : 0f;
        all.Sink = hasSinks != 0 ? sinks[head] : PartialSoftmax.Nothing;
        return all;
    }

    private static RunningSoftmax Nothing()
    {
        RunningSoftmax none;
        none.Max = PartialSoftmax.Nothing;
        none.Sum = 0f;
        return none;
    }

    /// <summary>A sink is a score that the softmax has seen before the first stretch; where stretches are shared out, who combines them
    /// begins with it.</summary>
    private static RunningSoftmax Begin(WarpRow row, bool isSplit)
    {
        RunningSoftmax total;
        total.Max = isSplit ? PartialSoftmax.Nothing : row.Sink;
        total.Sum = total.Max > PartialSoftmax.Nothing ? 1f : 0f;
        return total;
    }

    /// <summary>Elements of a head that a warp mixes where warps share them: 8 or 16.</summary>
    private static int ElementsOfShare<TTiles>()
        where TTiles : struct, IHeadTiles => default(TTiles).Count * 16 / WarpMatrix.MaxWarps;

    private static int FirstOfShare<TTiles>()
        where TTiles : struct, IHeadTiles => WarpMatrix.Warp * ElementsOfShare<TTiles>();

    /// <summary>The same of this warp's elements.</summary>
    private static HeadQuads MixShare<TCache, THalf, TTerms, TTiles>(
        ArrayView<UInt4> valueTile, InputTerms left, InputTerms right, float upperRescale, float lowerRescale, HeadQuads mixed)
        where TCache : struct, ICacheTerms
        where THalf : struct, IHalfFormat
        where TTerms : struct, ITerms
        where TTiles : struct, IHeadTiles
    {
        var element = FirstOfShare<TTiles>() + WarpMatrix.Line;
        var term = WarpCacheTiles.Pieces<TTiles>();
        mixed.A = Mix<TCache, THalf, TTerms>(
            valueTile, WarpCacheTiles.ValueAt(element, WarpMatrix.Sharer), term, left, right, upperRescale, lowerRescale, mixed.A);
        if (default(TTiles).Count > 4)
        {
            mixed.B = Mix<TCache, THalf, TTerms>(
                valueTile, WarpCacheTiles.ValueAt(element + 8, WarpMatrix.Sharer), term, left, right, upperRescale, lowerRescale, mixed.B);
        }

        return mixed;
    }

    /// <summary>Adds a tile's values of 64 elements, weighted.</summary>
    private static HeadQuads Mix<TCache, THalf, TTerms, TTiles>(
        ArrayView<UInt4> valueTile, int element, InputTerms left, InputTerms right, float upperRescale, float lowerRescale, HeadQuads mixed)
        where TCache : struct, ICacheTerms
        where THalf : struct, IHalfFormat
        where TTerms : struct, ITerms
        where TTiles : struct, IHeadTiles
    {
        var even = WarpCacheTiles.ValueAt(element + WarpMatrix.Line, WarpMatrix.Sharer);
        var odd = WarpCacheTiles.ValueAt(element + 8 + WarpMatrix.Line, WarpMatrix.Sharer);
        var term = WarpCacheTiles.Pieces<TTiles>();
        mixed.A = Mix<TCache, THalf, TTerms>(valueTile, even, term, left, right, upperRescale, lowerRescale, mixed.A);
        mixed.B = Mix<TCache, THalf, TTerms>(valueTile, odd, term, left, right, upperRescale, lowerRescale, mixed.B);
        mixed.C = Mix<TCache, THalf, TTerms>(valueTile, even + 64, term, left, right, upperRescale, lowerRescale, mixed.C);
        mixed.D = Mix<TCache, THalf, TTerms>(valueTile, odd + 64, term, left, right, upperRescale, lowerRescale, mixed.D);
        mixed.E = Mix<TCache, THalf, TTerms>(valueTile, even + 128, term, left, right, upperRescale, lowerRescale, mixed.E);
        mixed.F = Mix<TCache, THalf, TTerms>(valueTile, odd + 128, term, left, right, upperRescale, lowerRescale, mixed.F);
        mixed.G = Mix<TCache, THalf, TTerms>(valueTile, even + 192, term, left, right, upperRescale, lowerRescale, mixed.G);
        mixed.H = Mix<TCache, THalf, TTerms>(valueTile, odd + 192, term, left, right, upperRescale, lowerRescale, mixed.H);
        return mixed;
    }

    /// <summary>Of eight elements, of which the lane has two of each of its rows.</summary>
    private static Float4 Mix<TCache, THalf, TTerms>(
        ArrayView<UInt4> valueTile, int at, int term, InputTerms left, InputTerms right, float upperRescale, float lowerRescale,
        Float4 mixed)
        where TCache : struct, ICacheTerms
        where THalf : struct, IHalfFormat
        where TTerms : struct, ITerms
    {
        mixed.X *= upperRescale;
        mixed.Y *= upperRescale;
        mixed.Z *= lowerRescale;
        mixed.W *= lowerRescale;
        mixed = Mix<THalf, TTerms>(valueTile[at], left, right, mixed);
        for (var i = 1; default(TCache).Count > 1 && i < default(TCache).Count; i++)
        {
            mixed = Mix<THalf, TTerms>(valueTile[at + i * term], left, right, mixed);
        }

        return mixed;
    }

    /// <summary>Of a term of values.</summary>
    private static Float4 Mix<THalf, TTerms>(UInt4 values, InputTerms left, InputTerms right, Float4 mixed)
        where THalf : struct, IHalfFormat
        where TTerms : struct, ITerms
    {
        mixed = MultiplyAdd<THalf>(left.A, right.A, values, mixed);
        if (default(TTerms).Count > 1)
        {
            mixed = MultiplyAdd<THalf>(left.B, right.B, values, mixed);
            mixed = MultiplyAdd<THalf>(left.C, right.C, values, mixed);
        }

        return mixed;
    }

    /// <param name="left">Weights of the lane's first four tokens: two of the upper row, two of the lower, and the next two
    /// likewise.</param>
    /// <param name="right">Of the four after those.</param>
    /// <param name="values">An element's values of all eight.</param>
    private static Float4 MultiplyAdd<THalf>(UInt4 left, UInt4 right, UInt4 values, Float4 sums)
        where THalf : struct, IHalfFormat
    {
        sums = default(THalf).MultiplyAddOfWarp(left.X, left.Y, left.Z, left.W, values.X, values.Y, sums);
        return default(THalf).MultiplyAddOfWarp(right.X, right.Y, right.Z, right.W, values.Z, values.W, sums);
    }

    /// <summary>Where a row's first element lies as a part: see <see cref="PartialSoftmax.Combine"/>.</summary>
    private static long PartOf(WarpRow row, int heads, int headDim) =>
        ((long)Grid.IdxZ * Grid.DimY * heads + row.Number) * (headDim + 2);

    /// <summary>Merges up to 64 elements of a stretch with what was mixed before.</summary>
    /// <remarks>Eight at a time from the same place, to which the others move up: written out it would be most of the kernel.</remarks>
    private static void Merge(HeadQuads mixed, int element, int elements, StretchMerge upper, StretchMerge lower, ArrayView<float> to)
    {
        element += WarpMatrix.Sharer * 2;
        for (var end = element + elements; element < end; element += 8)
        {
            upper.Store(mixed.A.X, element, to);
            upper.Store(mixed.A.Y, element + 1, to);
            lower.Store(mixed.A.Z, element, to);
            lower.Store(mixed.A.W, element + 1, to);
            mixed.A = mixed.B;
            mixed.B = mixed.C;
            mixed.C = mixed.D;
            mixed.D = mixed.E;
            mixed.E = mixed.F;
            mixed.F = mixed.G;
            mixed.G = mixed.H;
        }
    }

    /// <summary>Writes what a part is relative to. Warps with the same rows write the same.</summary>
    private static void Leave(WarpRow row, RunningSoftmax total, int heads, int headDim, ArrayView<float> partial)
    {
        if (row.Elements > 0 && WarpMatrix.Sharer == 0)
        {
            var at = PartOf(row, heads, headDim) + headDim;
            partial[at] = total.Max;
            partial[at + 1] = total.Sum;
        }
    }

    private static void Combine<TShare>(
        WarpRow row, int headDim, int heads, float valueScale, ArrayView<float> partial, ArrayView<float> output)
        where TShare : struct, IWarpShare
    {
        var (first, step) = default(TShare).IsOfTokens
            ? (WarpMatrix.Warp * WarpMatrix.Quad + WarpMatrix.Sharer, WarpMatrix.MaxWarps * WarpMatrix.Quad)
            : (WarpMatrix.Sharer, WarpMatrix.Quad);
        for (var element = first; element < row.Elements; element += step)
        {
            output[row.Number * headDim + element] = valueScale * PartialSoftmax.Combine(
                partial, row.Number, (long)Grid.DimY * heads * (headDim + 2), element, headDim, Grid.DimZ, row.Sink);
        }
    }
}
