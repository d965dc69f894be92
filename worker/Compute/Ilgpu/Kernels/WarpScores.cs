using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>A lane's scores of eight tokens of a tile in <see cref="WarpAttention"/>: X and Y are of its upper row, Z and W of the lower,
/// for two tokens each, in the tokens' order.</summary>
internal struct WarpScores
{
    public Float4 A;
    public Float4 B;
    public Float4 C;
    public Float4 D;

    private const int Quads = 4;

    /// <summary>Steps of 32 elements of a head.</summary>
    private static int Steps<TTiles>()
        where TTiles : struct, IHeadTiles => default(TTiles).Count / 2;

    /// <summary>Queries of one term, which stay in registers; of several there are too many, and they are read again for each
    /// tile.</summary>
    public static KeptQueries Keep<TTerms, TTiles>(ArrayView<float> qkv, WarpRow upper, WarpRow lower, int headDim)
        where TTerms : struct, ITerms
        where TTiles : struct, IHeadTiles
    {
        KeptQueries queries = default;
        if (default(TTerms).Count == 1)
        {
            queries.Upper0 = Query<TTerms>(qkv, upper, 0, headDim).A;
            queries.Lower0 = Query<TTerms>(qkv, lower, 0, headDim).A;
            queries.Upper1 = Query<TTerms>(qkv, upper, 1, headDim).A;
            queries.Lower1 = Query<TTerms>(qkv, lower, 1, headDim).A;
            if (Steps<TTiles>() > 2)
            {
                queries.Upper2 = Query<TTerms>(qkv, upper, 2, headDim).A;
                queries.Lower2 = Query<TTerms>(qkv, lower, 2, headDim).A;
                queries.Upper3 = Query<TTerms>(qkv, upper, 3, headDim).A;
                queries.Lower3 = Query<TTerms>(qkv, lower, 3, headDim).A;
            }
        }

        return queries;
    }

    /// <summary>Scores as the softmax takes them; of warps that share rows only the own quarter of them, in <see cref="A"/>.</summary>
    /// <param name="token">The lane's first.</param>
    /// <param name="quarter">Of those warps: 0 for what others have in <see cref="A"/>.</param>
    public static WarpScores Of<TCache, THalf, TTerms, TTiles, TShare>(
        ArrayView<UInt4> keyTile, ArrayView<float> qkv, WarpRow upper, WarpRow lower, int headDim, KeptQueries queries, int token,
        float cap, int quarter)
        where TCache : struct, ICacheTerms
        where THalf : struct, IHalfFormat
        where TTerms : struct, ITerms
        where TTiles : struct, IHeadTiles
        where TShare : struct, IWarpShare
    {
        // Column lane / 4 of an instruction is one of two tokens that lane % 4 = lane / 8 has the scores of.
        var column = WarpMatrix.Lane / 8 * 8 + (WarpMatrix.Line & 1) + (default(TShare).IsOfTokens ? 2 * quarter : 0);
        WarpScores scores = default;
        if (default(TTerms).Count == 1)
        {
            scores = scores.Add<TCache, THalf, TTerms, TTiles, TShare>(keyTile, column, 0, Term(queries.Upper0), Term(queries.Lower0));
            scores = scores.Add<TCache, THalf, TTerms, TTiles, TShare>(keyTile, column, 1, Term(queries.Upper1), Term(queries.Lower1));
            if (Steps<TTiles>() > 2)
            {
                scores = scores.Add<TCache, THalf, TTerms, TTiles, TShare>(keyTile, column, 2, Term(queries.Upper2), Term(queries.Lower2));
                scores = scores.Add<TCache, THalf, TTerms, TTiles, TShare>(keyTile, column, 3, Term(queries.Upper3), Term(queries.Lower3));
            }
        }
        else
        {
            for (var step = 0; step < Steps<TTiles>(); step++)
            {
                scores = scores.Add<TCache, THalf, TTerms, TTiles, TShare>(
                    keyTile, column, step, Query<TTerms>(qkv, upper, step, headDim), Query<TTerms>(qkv, lower, step, headDim));
            }
        }

        if (!default(TShare).IsOfTokens)
        {
            return Mask(scores, token, upper, lower, cap);
        }

        scores.A = Mask(scores.A, token + 2 * quarter, upper, lower, cap);
        return scores;
    }

    public readonly float LargestOfUpper() => Native.Max(
        Native.Max(Native.Max(A.X, A.Y), Native.Max(B.X, B.Y)), Native.Max(Native.Max(C.X, C.Y), Native.Max(D.X, D.Y)));

    public readonly float LargestOfLower() => Native.Max(
        Native.Max(Native.Max(A.Z, A.W), Native.Max(B.Z, B.W)), Native.Max(Native.Max(C.Z, C.W), Native.Max(D.Z, D.W)));

    public readonly float TotalOfUpper() => ((A.X + A.Y) + (B.X + B.Y)) + ((C.X + C.Y) + (D.X + D.Y));

    public readonly float TotalOfLower() => ((A.Z + A.W) + (B.Z + B.W)) + ((C.Z + C.W) + (D.Z + D.W));

    /// <summary>Weights of the softmax relative to a score of each row.</summary>
    public static WarpScores Weights(WarpScores scores, float upper, float lower)
    {
        for (var i = 0; i < Quads; i++)
        {
            scores.A = Weights(scores.A, upper, lower);
            scores = Turned(scores);
        }

        return scores;
    }

    /// <summary>A quarter's weights.</summary>
    public static Float4 Weights(Float4 scores, float upper, float lower)
    {
        scores.X = Weight(scores.X, upper);
        scores.Y = Weight(scores.Y, upper);
        scores.Z = Weight(scores.Z, lower);
        scores.W = Weight(scores.W, lower);
        return scores;
    }

    /// <summary>All quarters, each from a warp that has it.</summary>
    /// <param name="own">This warp's.</param>
    /// <param name="room">Shared, for four quarters of 32 lanes.</param>
    public static WarpScores Gather(Float4 own, int quarter, ArrayView<Float4> room)
    {
        if (WarpMatrix.Warp < Quads)
        {
            room[quarter * WarpMatrix.Lanes + WarpMatrix.Lane] = own;
        }

        Group.Barrier();
        WarpScores all;
        all.A = room[WarpMatrix.Lane];
        all.B = room[WarpMatrix.Lanes + WarpMatrix.Lane];
        all.C = room[2 * WarpMatrix.Lanes + WarpMatrix.Lane];
        all.D = room[3 * WarpMatrix.Lanes + WarpMatrix.Lane];
        return all;
    }

    /// <summary>Adds the products of 32 elements.</summary>
    /// <param name="token">The column's first of the tile.</param>
    private readonly WarpScores Add<TCache, THalf, TTerms, TTiles, TShare>(
        ArrayView<UInt4> keyTile, int token, int step, InputTerms upper, InputTerms lower)
        where TCache : struct, ICacheTerms
        where THalf : struct, IHalfFormat
        where TTerms : struct, ITerms
        where TTiles : struct, IHeadTiles
        where TShare : struct, IWarpShare
    {
        var octet = step * WarpMatrix.Quad + WarpMatrix.Sharer;
        var scores = this;
        scores.A = Add<TCache, THalf, TTerms, TTiles>(keyTile, token, octet, upper, lower, A);
        if (!default(TShare).IsOfTokens)
        {
            scores.B = Add<TCache, THalf, TTerms, TTiles>(keyTile, token + 2, octet, upper, lower, B);
            scores.C = Add<TCache, THalf, TTerms, TTiles>(keyTile, token + 4, octet, upper, lower, C);
            scores.D = Add<TCache, THalf, TTerms, TTiles>(keyTile, token + 6, octet, upper, lower, D);
        }

        return scores;
    }

    private static Float4 Add<TCache, THalf, TTerms, TTiles>(
        ArrayView<UInt4> keyTile, int token, int octet, InputTerms upper, InputTerms lower, Float4 sums)
        where TCache : struct, ICacheTerms
        where THalf : struct, IHalfFormat
        where TTerms : struct, ITerms
        where TTiles : struct, IHeadTiles
    {
        var at = WarpCacheTiles.KeyAt(token, octet, 2 * default(TTiles).Count);
        sums = Add<THalf, TTerms>(keyTile[at], upper, lower, sums);
        for (var i = 1; default(TCache).Count > 1 && i < default(TCache).Count; i++)
        {
            sums = Add<THalf, TTerms>(keyTile[at + i * WarpCacheTiles.Pieces<TTiles>()], upper, lower, sums);
        }

        return sums;
    }

    /// <summary>Of a term of keys.</summary>
    private static Float4 Add<THalf, TTerms>(UInt4 keys, InputTerms upper, InputTerms lower, Float4 sums)
        where THalf : struct, IHalfFormat
        where TTerms : struct, ITerms
    {
        sums = MultiplyAdd<THalf>(upper.A, lower.A, keys, sums);
        if (default(TTerms).Count > 1)
        {
            sums = MultiplyAdd<THalf>(upper.B, lower.B, keys, sums);
            sums = MultiplyAdd<THalf>(upper.C, lower.C, keys, sums);
        }

        return sums;
    }

    /// <summary>Adds the products of eight elements of two rows' queries with those of a token's key.</summary>
    private static Float4 MultiplyAdd<THalf>(UInt4 upper, UInt4 lower, UInt4 keys, Float4 sums)
        where THalf : struct, IHalfFormat
    {
        sums = default(THalf).MultiplyAddOfWarp(upper.X, lower.X, upper.Y, lower.Y, keys.X, keys.Y, sums);
        return default(THalf).MultiplyAddOfWarp(upper.Z, lower.Z, upper.W, lower.W, keys.Z, keys.W, sums);
    }

    /// <summary>The lane's eight elements of a step.</summary>
    private static InputTerms Query<TTerms>(ArrayView<float> qkv, WarpRow row, int step, int headDim)
        where TTerms : struct, ITerms
    {
        var k = (step * WarpMatrix.Quad + WarpMatrix.Sharer) * 8;
        return headDim % 4 == 0
            ? default(TTerms).Split(
                default(QuadInput).Quad(qkv, row.Query, k, row.Elements), default(QuadInput).Quad(qkv, row.Query, k + 4, row.Elements))
            : default(TTerms).Split(
                default(AnyInput).Quad(qkv, row.Query, k, row.Elements), default(AnyInput).Quad(qkv, row.Query, k + 4, row.Elements));
    }

    private static InputTerms Term(UInt4 piece)
    {
        InputTerms one = default;
        one.A = piece;
        return one;
    }

    /// <summary>Scores as the softmax takes them.</summary>
    private static WarpScores Mask(WarpScores scores, int token, WarpRow upper, WarpRow lower, float cap)
    {
        for (var i = 0; i < Quads; i++)
        {
            scores.A = Mask(scores.A, token + 2 * i, upper, lower, cap);
            scores = Turned(scores);
        }

        return scores;
    }

    private static Float4 Mask(Float4 scores, int token, WarpRow upper, WarpRow lower, float cap)
    {
        scores.X = Mask(scores.X, token, upper, cap);
        scores.Y = Mask(scores.Y, token + 1, upper, cap);
        scores.Z = Mask(scores.Z, token, lower, cap);
        scores.W = Mask(scores.W, token + 1, lower, cap);
        return scores;
    }

    private static float Mask(float score, int token, WarpRow row, float cap)
    {
        score *= row.Factor;
        score = cap > 0f ? cap * Native.Tanh(score / cap) : score;
        return token >= row.Seen && token <= row.Position ? score + row.Slope * (token - row.Position) : PartialSoftmax.Nothing;
    }

    private static float Weight(float score, float max) => score > PartialSoftmax.Nothing ? Native.Exp(score - max) : 0f;

    /// <summary>The next four first: what is done to the first in a loop is written once, and is done to all.</summary>
    private static WarpScores Turned(WarpScores scores)
    {
        WarpScores turned;
        turned.A = scores.B;
        turned.B = scores.C;
        turned.C = scores.D;
        turned.D = scores.A;
        return turned;
    }
}

/// <summary>A lane's eight elements of each step of both of its rows' queries.</summary>
internal struct KeptQueries
{
    public UInt4 Upper0;
    public UInt4 Lower0;
    public UInt4 Upper1;
    public UInt4 Lower1;
    public UInt4 Upper2;
    public UInt4 Lower2;
    public UInt4 Upper3;
    public UInt4 Lower3;
}
