using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using Cluster.Worker.Draws;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>What top_k and top_p keep: all tokens up to one, ordered by falling logit, of equal ones the lower id first. Nothing is sorted.
/// A histogram of ranks finds the bin in which the wanted count or mass is reached, and the next pass looks at that bin only.</summary>
/// <remarks>
/// <code>
/// ranks     │ all: 2¹¹ bins of 2²¹ ranks │ one bin: 2¹¹ of 2¹⁰ │ one bin: 2¹⁰ of one rank each │
/// tokens    of that rank, where not all of them are kept: the same by id
/// </code>
/// Bins are sums of whole numbers in shared memory, so the order of the threads does not matter. A mass has 41 bits and is added in parts
/// of ten: two million tokens fit 32 bits.
/// </remarks>
internal static class Selection
{
    /// <summary>Largest vocabulary whose sums fit.</summary>
    public const int MaxVocabulary = 1 << 21;

    private const int Bins = 2048;
    private const int BinsOfLane = Bins / Wave.Lanes;
    private const int Parts = 4;
    private const int PartBits = 10;
    private const uint PartMask = (1u << PartBits) - 1u;

    /// <summary>Rank of -∞.</summary>
    private const uint LastRank = 0xff800000u;

    /// <summary>top_k: which rank, and which of its tokens.</summary>
    private const int RankByCount = 0;
    private const int TokenByCount = 1;

    /// <summary>top_p, of what top_k keeps.</summary>
    private const int RankByMass = 2;
    private const int TokenByMass = 3;
    private const int Done = 4;

    /// <summary>Fills in the cut of the draws that have one; a group each.</summary>
    /// <param name="selecting">Which draws those are.</param>
    public static void Run(
        ArrayView<float> logits, ArrayView<float> adjusted, ArrayView<DrawParameters> draws, ArrayView<int> selecting,
        ArrayView<float> chunkMaxima, int vocabulary, int chunks)
    {
        var bins = SharedMemory.Allocate<uint>(Bins * Parts);
        var sums = SharedMemory.Allocate<ulong>(Wave.Lanes);
        var thread = Group.IdxY * Wave.Lanes + Group.IdxX;
        var threads = Group.DimY * Wave.Lanes;
        var index = selecting[Grid.IdxX];
        var draw = draws[index];
        var row = Sampling.RowOf(logits, adjusted, draw, vocabulary);
        var max = Sampling.MaxOf(chunkMaxima, index, chunks);
        var cutRank = uint.MaxValue;
        var cutToken = int.MaxValue;
        var found = 0u;
        var first = Sampling.RankOf(max);
        var width = LastRank - first;
        var phase = draw.TopK > 0 ? RankByCount : RankByMass;
        var target = (ulong)draw.TopK;

        // Of a row without a largest finite logit nothing is wanted.
        if (!(max > float.NegativeInfinity && max < float.PositiveInfinity))
        {
            phase = Done;
        }

        while (phase != Done)
        {
            var byToken = phase == TokenByCount || phase == TokenByMass;
            var shift = 0;
            while ((width >> shift) >= Bins)
            {
                shift++;
            }

            for (var i = thread; i < Bins * Parts; i += threads)
            {
                bins[i] = 0u;
            }

            Group.Barrier();
            for (var token = thread; token < vocabulary; token += threads)
            {
                var logit = row[token];
                var rank = Sampling.RankOf(logit);
                var place = (byToken ? (uint)token : rank) - first;
                if (place <= width && (!byToken || rank == found))
                {
                    var mass = phase != RankByMass ? 1UL
                        : Sampling.IsKept(rank, token, cutRank, cutToken) ? Sampling.MassOf(logit, max, draw) : 0UL;
                    Add(bins, (int)(place >> shift), mass);
                }
            }

            Group.Barrier();
            if (thread < Wave.Lanes)
            {
                var sum = 0UL;
                for (var bin = thread * BinsOfLane; bin < (thread + 1) * BinsOfLane; bin++)
                {
                    sum += MassOf(bins, bin);
                }

                sums[thread] = sum;
            }

            Group.Barrier();
            if (target == 0UL)
            {
                var total = 0UL;
                for (var i = 0; i < Wave.Lanes; i++)
                {
                    total += sums[i];
                }

                target = TokenMass.Part(total, draw.Share);
            }

            var lane = 0;
            while (lane < Wave.Lanes - 1 && sums[lane] < target)
            {
                target -= sums[lane];
                lane++;
            }

            var hit = lane * BinsOfLane;
            while (hit < (lane + 1) * BinsOfLane - 1 && MassOf(bins, hit) < target)
            {
                target -= MassOf(bins, hit);
                hit++;
            }

            var inHit = MassOf(bins, hit);
            Group.Barrier();
            var skipped = (uint)hit << shift;
            first += skipped;
            width -= skipped;
            var most = (1u << shift) - 1u;
            width = width < most ? width : most;
            if (shift == 0)
            {
                var isWhole = byToken;
                if (byToken)
                {
                    cutToken = (int)first;
                    cutRank = found;
                }
                else
                {
                    // Equal logits have equal masses.
                    found = first;
                    var each = phase == RankByCount ? 1UL : Sampling.MassOf(LogitOf(found), max, draw);
                    each = each == 0UL ? 1UL : each;
                    var wanted = (target + each - 1UL) / each;
                    isWhole = wanted * each == inHit;
                    if (isWhole)
                    {
                        // What top_k keeps of this rank is all there is of it.
                        cutToken = found == cutRank ? cutToken : int.MaxValue;
                        cutRank = found;
                    }
                    else
                    {
                        phase++;
                        target = wanted;
                        first = 0u;
                        width = (uint)(vocabulary - 1);
                    }
                }

                if (isWhole)
                {
                    phase = phase <= TokenByCount && draw.Share != 0u ? RankByMass : Done;
                    target = 0UL;
                    first = Sampling.RankOf(max);
                    width = LastRank - first;
                }
            }
        }

        if (thread == 0)
        {
            draws[index].CutRank = cutRank;
            draws[index].CutToken = cutToken;
        }
    }

    private static void Add(ArrayView<uint> bins, int bin, ulong mass)
    {
        for (var part = 0; part < Parts; part++)
        {
            // The last part has a bit more: only the likeliest token's mass needs it.
            var value = part < Parts - 1 ? (uint)mass & PartMask : (uint)mass;
            if (value != 0u)
            {
                Atomic.Add(ref bins[part * Bins + bin], value);
            }

            mass >>= PartBits;
        }
    }

    private static ulong MassOf(ArrayView<uint> bins, int bin) =>
        bins[bin] + ((ulong)bins[Bins + bin] << PartBits) + ((ulong)bins[2 * Bins + bin] << (2 * PartBits))
        + ((ulong)bins[3 * Bins + bin] << (3 * PartBits));

    /// <summary>The logit of a rank.</summary>
    private static float LogitOf(uint rank) => Interop.IntAsFloat((rank & 0x80000000u) != 0 ? rank : ~rank & 0x7fffffffu);
}
