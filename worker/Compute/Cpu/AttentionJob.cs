using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Compute.Cpu;

/// <summary>Paged attention (Kwon et al. 2023) with online softmax (Milakov and Gimelshein 2018); a task is one <see cref="AttentionItem"/> of one KV head.
/// Called by <see cref="CpuKernels{V, TSimd}"/>; the products are in <see cref="AttentionKernels{V, TSimd}"/>.</summary>
/// <remarks>
/// A query walks the tiles of 16 slots between its window's start and its own position, in that order. Where tiles begin depends on positions alone,
/// so a result does not depend on the other rows, on how a prompt was cut into chunks or on which blocks the pages are.
/// Slots outside a query's range may hold anything, NaN included: their scores are overwritten and their values never touched.
/// </remarks>
internal unsafe struct AttentionJob<V, TSimd> : IParallelBody
    where V : unmanaged
    where TSimd : ISimd<V>
{
    /// <summary>Queries a task aims to have, over rows and the query heads that share a KV head.</summary>
    private const int QueriesPerItem = 16;

    private const int Tile = CpuKvCache.TileSlots;

    public AttentionItem* Items;
    public float* Qkv;
    public float* Output;
    public int* Positions;
    public int* BlockTables;
    public float* Keys;
    public float* Values;

    /// <summary><see cref="ScratchFloats"/> for each worker: maxima, sums, weights of a tile and unscaled outputs of every query.</summary>
    public float* Scratch;

    public int Heads;
    public int KvHeads;
    public int HeadDim;
    public int BlockSize;
    public int MaxBlocks;
    public float Scale;
    public float LogitSoftCap;
    public int SlidingWindow;

    public static int RowsPerItem(int headsPerKvHead) => Math.Max(1, QueriesPerItem / headsPerKvHead);

    public static int ScratchFloats(int headsPerKvHead, int headDim)
    {
        var queries = RowsPerItem(headsPerKvHead) * headsPerKvHead;
        return (queries * (2 + Tile + headDim) + Tile - 1) / Tile * Tile;
    }

    private readonly int Group => Heads / KvHeads;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Execute(int task, int worker)
    {
        var item = Items[task / KvHeads];
        var kvHead = task % KvHeads;
        var queries = item.Rows * Group;
        var weights = Scratch + (long)worker * ScratchFloats(Group, HeadDim);
        var outputs = weights + queries * Tile;
        var maxima = outputs + queries * HeadDim;
        var sums = maxima + queries;
        new Span<float>(outputs, queries * HeadDim).Clear();
        new Span<float>(maxima, queries).Fill(float.NegativeInfinity);
        new Span<float>(sums, queries).Clear();

        var lastPosition = Positions[item.FirstRow + item.Rows - 1];
        for (var slot = FirstVisible(Positions[item.FirstRow]) / Tile * Tile; slot <= lastPosition; slot += Tile)
        {
            var block = BlockTables[(long)item.Sequence * MaxBlocks + slot / BlockSize];
            var page = ((long)block * KvHeads + kvHead) * HeadDim * BlockSize;
            var offset = slot % BlockSize;
            Score(item, kvHead, Keys + page + offset, weights);
            for (var query = 0; query < queries; query++)
            {
                Normalize(VisibleIn(item, query, slot), weights + query * Tile, ref maxima[query], ref sums[query], outputs + (long)query * HeadDim);
            }

            Accumulate(item, slot, weights, Values + page + (long)offset * HeadDim, outputs);
        }

        WriteOutput(item, kvHead, outputs, sums);
    }

    private readonly int FirstVisible(int position) => SlidingWindow == 0 ? 0 : Math.Max(0, position - SlidingWindow + 1);

    /// <summary>The slots of a tile that a query may see, relative to the tile; empty when from ≥ to.</summary>
    private readonly (int From, int To) VisibleIn(AttentionItem item, int query, int slot)
    {
        var position = Positions[item.FirstRow + query / Group];
        return (Math.Max(0, FirstVisible(position) - slot), Math.Min(Tile, position + 1 - slot));
    }

    private readonly float* Query(AttentionItem item, int kvHead, int query)
    {
        var row = item.FirstRow + query / Group;
        var head = kvHead * Group + query % Group;
        return Qkv + ((long)row * (Heads + 2 * KvHeads) + head) * HeadDim;
    }

    private readonly void Score(AttentionItem item, int kvHead, float* keys, float* scores)
    {
        var queries = item.Rows * Group;
        var query = 0;
        for (; query <= queries - 4; query += 4)
        {
            AttentionKernels<V, TSimd>.Score4(
                Query(item, kvHead, query),
                Query(item, kvHead, query + 1),
                Query(item, kvHead, query + 2),
                Query(item, kvHead, query + 3),
                keys,
                BlockSize,
                HeadDim,
                scores + query * Tile);
        }

        for (; query < queries; query++)
        {
            AttentionKernels<V, TSimd>.Score1(Query(item, kvHead, query), keys, BlockSize, HeadDim, scores + query * Tile);
        }
    }

    /// <summary>Turns a tile's scores into weights relative to the running maximum and rescales what was summed under an older one.</summary>
    private readonly void Normalize((int From, int To) visible, float* scores, ref float maximum, ref float sum, float* output)
    {
        if (visible.From >= visible.To)
        {
            return;
        }

        for (var i = 0; i < Tile; i++)
        {
            var score = scores[i] * Scale;
            scores[i] = i < visible.From || i >= visible.To ? float.NegativeInfinity
                : LogitSoftCap == 0 ? score
                : LogitSoftCap * MathF.Tanh(score / LogitSoftCap);
        }

        var newMaximum = AttentionKernels<V, TSimd>.Largest(scores, maximum);
        if (newMaximum > maximum)
        {
            var factor = MathF.Exp(maximum - newMaximum);
            sum *= factor;
            AttentionKernels<V, TSimd>.Scale(output, factor, HeadDim);
            maximum = newMaximum;
        }

        AttentionKernels<V, TSimd>.ExpMinus(scores, newMaximum);
        for (var i = 0; i < visible.From; i++)
        {
            scores[i] = 0;
        }

        for (var i = visible.To; i < Tile; i++)
        {
            scores[i] = 0;
        }

        sum += AttentionKernels<V, TSimd>.SumOfTile(scores);
    }

    private readonly void Accumulate(AttentionItem item, int slot, float* weights, float* values, float* outputs)
    {
        var queries = item.Rows * Group;
        for (var query = 0; query < queries; query++)
        {
            if (query <= queries - 4 && SeeWholeTile(item, query, slot))
            {
                AttentionKernels<V, TSimd>.Accumulate4(weights + query * Tile, values, HeadDim, outputs + (long)query * HeadDim);
                query += 3;
                continue;
            }

            var (from, to) = VisibleIn(item, query, slot);
            if (from < to)
            {
                AttentionKernels<V, TSimd>.Accumulate1(weights + query * Tile, from, to, values, HeadDim, outputs + (long)query * HeadDim);
            }
        }
    }

    /// <summary>Whether four consecutive queries all see every slot of the tile: as positions ascend, the first and the last decide.</summary>
    private readonly bool SeeWholeTile(AttentionItem item, int query, int slot) =>
        VisibleIn(item, query, slot).To == Tile && VisibleIn(item, query + 3, slot).From == 0;

    private readonly void WriteOutput(AttentionItem item, int kvHead, float* outputs, float* sums)
    {
        for (var query = 0; query < item.Rows * Group; query++)
        {
            var row = item.FirstRow + query / Group;
            var head = kvHead * Group + query % Group;
            var target = Output + ((long)row * Heads + head) * HeadDim;
            var scale = 1f / sums[query];
            for (var d = 0; d < HeadDim; d++)
            {
                target[d] = outputs[(long)query * HeadDim + d] * scale;
            }
        }
    }
}
