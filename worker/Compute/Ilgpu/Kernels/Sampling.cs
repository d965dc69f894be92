using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using Cluster.Worker.Draws;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>Chooses tokens from rows of logits: adjusting, maxima, masses, the pick. What top_k and top_p drop is decided by
/// <see cref="Selection"/>. Every step is the engine's, bit for bit; sums are <see cref="TokenMass"/>, in whatever order.</summary>
/// <remarks>
/// A row is cut into chunks of 64 · 64 tokens. A lane has every 64th token of its chunk, so that reads are contiguous; what lanes find is
/// put together by the launches that follow, without barriers:
/// <code>
/// maxima, masses  [draw][chunk][lane]
/// chunk maxima    [draw][chunk]
/// stretches       [draw][64]              masses of 64 tokens each, of the one chunk where the random number falls
/// </code>
/// Draws that cannot be — NaN, +∞, no finite logit — run through all of it to no harm; their largest logit tells.
/// </remarks>
internal static class Sampling
{
    public const int ChunkTokens = Wave.Lanes * Wave.Lanes;

    /// <summary>Tokens that a group of <see cref="Copy"/> has.</summary>
    public const int PieceTokens = 16 * Wave.Lanes;

    /// <summary>Copies rows to be adjusted, without the tokens that a mask forbids. Grid (pieces, slots).</summary>
    /// <param name="slots">Row and mask of each; -1 for no mask.</param>
    /// <param name="words">32-bit words of a mask.</param>
    public static void Copy(
        ArrayView<float> logits, ArrayView<int> slots, ArrayView<uint> masks, ArrayView<float> adjusted, int vocabulary, int words)
    {
        var slot = Grid.IdxY;
        var from = (long)slots[2 * slot] * vocabulary;
        var to = (long)slot * vocabulary;
        var mask = slots[2 * slot + 1];
        var end = Native.Min((Grid.IdxX + 1) * PieceTokens, vocabulary);
        for (var token = Grid.IdxX * PieceTokens + Group.IdxX; token < end; token += Wave.Lanes)
        {
            var logit = logits[from + token];
            if (mask >= 0 && ((masks[(long)mask * words + (token >> 5)] >> (token & 31)) & 1u) == 0)
            {
                logit = float.NegativeInfinity;
            }

            adjusted[to + token] = logit;
        }
    }

    /// <summary>Carries out adjustments of one kind, a thread each. Grid (adjustments / 64).</summary>
    /// <param name="kind">An <see cref="AdjustmentKind"/>.</param>
    public static void Adjust(
        ArrayView<LogitAdjustment> adjustments, ArrayView<float> adjusted, int first, int count, int kind, int vocabulary)
    {
        var i = Grid.IdxX * Wave.Lanes + Group.IdxX;
        if (i >= count)
        {
            return;
        }

        var adjustment = adjustments[first + i];
        var at = (long)adjustment.Slot * vocabulary + adjustment.Token;
        var logit = adjusted[at];
        if (kind == (int)AdjustmentKind.Forbid)
        {
            logit = float.NegativeInfinity;
        }
        else if (kind == (int)AdjustmentKind.Add)
        {
            logit += adjustment.Value;
        }
        else if (kind == (int)AdjustmentKind.Penalize)
        {
            logit = logit > 0 ? Native.Divide(logit, adjustment.Value) : logit * adjustment.Value;
        }
        else
        {
            logit -= adjustment.Value;
        }

        adjusted[at] = logit;
    }

    /// <summary>The largest logit of each lane. Grid (chunks, draws).</summary>
    public static void Maxima(
        ArrayView<float> logits, ArrayView<float> adjusted, ArrayView<DrawParameters> draws, ArrayView<float> maxima, int vocabulary)
    {
        var row = RowOf(logits, adjusted, draws[Grid.IdxY], vocabulary);
        var max = float.NegativeInfinity;
        var end = Native.Min((Grid.IdxX + 1) * ChunkTokens, vocabulary);
        for (var token = Grid.IdxX * ChunkTokens + Group.IdxX; token < end; token += Wave.Lanes)
        {
            max = Larger(row[token], max);
        }

        maxima[(long)(Grid.IdxY * Grid.DimX + Grid.IdxX) * Wave.Lanes + Group.IdxX] = max;
    }

    /// <summary>The largest of each chunk's lanes, a thread each. Grid (chunks of all draws / 64).</summary>
    public static void ChunkMaxima(ArrayView<float> maxima, ArrayView<float> chunkMaxima, int count)
    {
        var chunk = Grid.IdxX * Wave.Lanes + Group.IdxX;
        if (chunk < count)
        {
            var max = float.NegativeInfinity;
            for (var lane = 0; lane < Wave.Lanes; lane++)
            {
                max = Larger(maxima[(long)chunk * Wave.Lanes + lane], max);
            }

            chunkMaxima[chunk] = max;
        }
    }

    /// <summary>The mass of each lane's tokens that are kept. Grid (chunks, draws).</summary>
    public static void Masses(
        ArrayView<float> logits, ArrayView<float> adjusted, ArrayView<DrawParameters> draws, ArrayView<float> chunkMaxima,
        ArrayView<ulong> masses, int vocabulary)
    {
        var draw = draws[Grid.IdxY];
        if (draw.Temperature == 0f)
        {
            return;
        }

        var row = RowOf(logits, adjusted, draw, vocabulary);
        var max = MaxOf(chunkMaxima, Grid.IdxY, Grid.DimX);
        var mass = 0UL;
        var end = Native.Min((Grid.IdxX + 1) * ChunkTokens, vocabulary);
        for (var token = Grid.IdxX * ChunkTokens + Group.IdxX; token < end; token += Wave.Lanes)
        {
            mass += KeptMass(row[token], token, max, draw);
        }

        masses[(long)(Grid.IdxY * Grid.DimX + Grid.IdxX) * Wave.Lanes + Group.IdxX] = mass;
    }

    /// <summary>The mass of each chunk, a thread each. Grid (chunks of all draws / 64).</summary>
    public static void ChunkMasses(ArrayView<ulong> masses, ArrayView<ulong> chunkMasses, int count)
    {
        var chunk = Grid.IdxX * Wave.Lanes + Group.IdxX;
        if (chunk < count)
        {
            var mass = 0UL;
            for (var lane = 0; lane < Wave.Lanes; lane++)
            {
                mass += masses[(long)chunk * Wave.Lanes + lane];
            }

            chunkMasses[chunk] = mass;
        }
    }

    /// <summary>The masses of 64 neighbours each in the chunk where a draw's random number falls. Grid (draws).</summary>
    public static void Stretches(
        ArrayView<float> logits, ArrayView<float> adjusted, ArrayView<DrawParameters> draws, ArrayView<float> chunkMaxima,
        ArrayView<ulong> chunkMasses, ArrayView<ulong> stretches, int vocabulary, int chunks)
    {
        var draw = draws[Grid.IdxX];
        if (draw.Temperature == 0f)
        {
            return;
        }

        var row = RowOf(logits, adjusted, draw, vocabulary);
        var max = MaxOf(chunkMaxima, Grid.IdxX, chunks);
        var place = PlaceOf(chunkMasses, Grid.IdxX, chunks, draw);
        var first = place.Chunk * ChunkTokens + Group.IdxX * Wave.Lanes;
        var end = Native.Min(first + Wave.Lanes, vocabulary);
        var mass = 0UL;
        for (var token = first; token < end; token++)
        {
            mass += KeptMass(row[token], token, max, draw);
        }

        stretches[(long)Grid.IdxX * Wave.Lanes + Group.IdxX] = mass;
    }

    /// <summary>The token of each draw, a thread each. Grid (draws / 64).</summary>
    public static void Pick(
        ArrayView<float> logits, ArrayView<float> adjusted, ArrayView<DrawParameters> draws, ArrayView<float> maxima,
        ArrayView<float> chunkMaxima, ArrayView<ulong> chunkMasses, ArrayView<ulong> stretches, ArrayView<DrawOutcome> outcomes,
        int vocabulary, int chunks, int count)
    {
        var index = Grid.IdxX * Wave.Lanes + Group.IdxX;
        if (index >= count)
        {
            return;
        }

        var draw = draws[index];
        var row = RowOf(logits, adjusted, draw, vocabulary);
        var outcome = default(DrawOutcome);
        outcome.Max = MaxOf(chunkMaxima, index, chunks);
        if (draw.Temperature == 0f)
        {
            outcome.Token = FirstOf(row, maxima, chunkMaxima, index, chunks, vocabulary, outcome.Max);
        }
        else
        {
            var place = PlaceOf(chunkMasses, index, chunks, draw);
            outcome.MassLow = (uint)place.Total;
            outcome.MassHigh = (uint)(place.Total >> 32);
            var rest = place.Place;
            var stretch = 0;
            for (; stretch < Wave.Lanes - 1 && rest >= stretches[(long)index * Wave.Lanes + stretch]; stretch++)
            {
                rest -= stretches[(long)index * Wave.Lanes + stretch];
            }

            var token = place.Chunk * ChunkTokens + stretch * Wave.Lanes;
            while (token < vocabulary - 1)
            {
                var mass = KeptMass(row[token], token, outcome.Max, draw);
                if (rest < mass)
                {
                    break;
                }

                rest -= mass;
                token++;
            }

            outcome.Token = Native.Min(token, vocabulary - 1);
        }

        outcome.Logit = logits[(long)draw.Row * vocabulary + outcome.Token];
        outcomes[index] = outcome;
    }

    /// <summary>The row that a draw chooses from.</summary>
    public static ArrayView<float> RowOf(ArrayView<float> logits, ArrayView<float> adjusted, DrawParameters draw, int vocabulary)
    {
        // Both lie within their buffers, whichever is taken: compilers may make both.
        var plain = logits.SubView((long)draw.Row * vocabulary, vocabulary);
        var changed = adjusted.SubView((long)Native.Max(draw.Slot, 0) * vocabulary, vocabulary);
        return draw.Slot < 0 ? plain : changed;
    }

    /// <summary>A row's largest logit.</summary>
    public static float MaxOf(ArrayView<float> chunkMaxima, int draw, int chunks)
    {
        var max = float.NegativeInfinity;
        for (var chunk = 0; chunk < chunks; chunk++)
        {
            max = Larger(chunkMaxima[(long)draw * chunks + chunk], max);
        }

        return max;
    }

    /// <summary>What a token weighs unless min_p drops it.</summary>
    public static ulong MassOf(float logit, float max, DrawParameters draw)
    {
        var weight = Native.ExpOfNegative(Scaled(logit - max, draw.Temperature, draw.Reciprocal));
        return weight >= draw.MinP ? TokenMass.Of(weight) : 0UL;
    }

    /// <summary>difference / temperature, rounded as IEEE says where the result matters to e to its power: between -87.4 and
    /// -2⁻²⁶.</summary>
    /// <remarks>Markstein's theorem: a quotient off by less than a unit in the last place is made right by its remainder, which is exact,
    /// and a reciprocal that is rounded right.</remarks>
    /// <param name="difference">At most 0.</param>
    /// <param name="temperature">Between 2⁻⁴⁰ and 2⁴⁰.</param>
    /// <param name="reciprocal">1 / temperature, rounded to nearest.</param>
    public static float Scaled(float difference, float temperature, float reciprocal)
    {
        var quotient = difference * reciprocal;
        if (!(quotient > -100f))
        {
            return -100f;
        }

        quotient = Native.Fma(Native.Fma(-quotient, temperature, difference), reciprocal, quotient);
        return Native.Fma(Native.Fma(-quotient, temperature, difference), reciprocal, quotient);
    }

    /// <summary>Orders logits: the larger one has the smaller rank; 0 and -0 have the same.</summary>
    public static uint RankOf(float logit)
    {
        var bits = Interop.FloatAsInt(logit);
        bits = bits == 0x80000000u ? 0u : bits;
        return (bits & 0x80000000u) != 0 ? bits : ~(bits | 0x80000000u);
    }

    /// <summary>Whether neither top_k nor top_p drops a token.</summary>
    public static bool IsKept(uint rank, int token, uint cutRank, int cutToken) =>
        rank < cutRank || (rank == cutRank && token <= cutToken);

    private static ulong KeptMass(float logit, int token, float max, DrawParameters draw) =>
        IsKept(RankOf(logit), token, draw.CutRank, draw.CutToken) ? MassOf(logit, max, draw) : 0UL;

    /// <summary>The first token with the largest logit.</summary>
    private static int FirstOf(
        ArrayView<float> row, ArrayView<float> maxima, ArrayView<float> chunkMaxima, int draw, int chunks, int vocabulary, float max)
    {
        var chunk = 0;
        while (chunk < chunks - 1 && chunkMaxima[(long)draw * chunks + chunk] != max)
        {
            chunk++;
        }

        var best = Native.Min((chunk + 1) * ChunkTokens, vocabulary);
        for (var lane = 0; lane < Wave.Lanes; lane++)
        {
            if (maxima[((long)draw * chunks + chunk) * Wave.Lanes + lane] == max)
            {
                for (var token = chunk * ChunkTokens + lane; token < best; token += Wave.Lanes)
                {
                    best = row[token] == max ? token : best;
                }
            }
        }

        return Native.Min(best, vocabulary - 1);
    }

    private static ChunkPlace PlaceOf(ArrayView<ulong> chunkMasses, int draw, int chunks, DrawParameters parameters)
    {
        var place = default(ChunkPlace);
        for (var chunk = 0; chunk < chunks; chunk++)
        {
            place.Total += chunkMasses[(long)draw * chunks + chunk];
        }

        place.Place = TokenMass.Place(place.Total, parameters.RandomHigh, parameters.RandomLow);
        while (place.Chunk < chunks - 1 && place.Place >= chunkMasses[(long)draw * chunks + place.Chunk])
        {
            place.Place -= chunkMasses[(long)draw * chunks + place.Chunk];
            place.Chunk++;
        }

        return place;
    }

    /// <summary>The larger of two; NaN if one is.</summary>
    private static float Larger(float value, float max) => value > max || Native.IsNaN(value) ? value : max;
}
