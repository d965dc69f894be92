using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>Paged attention (Kwon et al. 2023) with online softmax (Milakov and Gimelshein 2018); a task is one <see cref="AttentionItem"/>
/// of one KV head, or of as many of its query heads as a task aims to have. Called by <see cref="VectorBackend{V, TSimd}"/>; the products
/// are in <see cref="AttentionKernels{V, TSimd}"/>.</summary>
/// <remarks>
/// A query walks the tiles of 16 slots between its window's start and its own position, in that order. Where tiles begin depends on
/// positions alone, so a result does not depend on the other rows, on how a prompt was cut into chunks or on which blocks the pages are.
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
    public KvLayer Cache;

    /// <summary>One for each query head, or null.</summary>
    public float* AlibiSlopes;

    /// <summary>One for each query head, or null.</summary>
    public float* Sinks;

    /// <summary><see cref="MaxPositions"/> factors, or null.</summary>
    public float* QueryScales;

    /// <summary><see cref="ScratchFloats"/> for each worker: state, weights of a tile and unscaled outputs of every query, then a tile of
    /// the cache.</summary>
    public float* Scratch;

    /// <summary>Elements from the queries of one row to those of the next.</summary>
    public int QueryColumns;
    public int Heads;
    public int KvHeads;
    public int HeadDim;

    /// <summary>Elements of a value; the first of a key in a latent cache.</summary>
    public int ValueDim;
    public int BlockSize;
    public int MaxBlocks;
    public int NumBlocks;
    public float Scale;
    public float LogitSoftCap;
    public int SlidingWindow;
    public int Chunk;
    public int MaxPositions;

    /// <summary>Query heads of a task: all that share a KV head, or an even share of them.</summary>
    private readonly int Group => GroupOf(Heads / KvHeads);

    /// <summary>Tasks that share a KV head.</summary>
    public static int Shares(int headsPerKvHead) => (headsPerKvHead + QueriesPerItem - 1) / QueriesPerItem;

    public static int RowsPerItem(int headsPerKvHead) => Math.Max(1, QueriesPerItem / headsPerKvHead);

    public static int ScratchFloats(int headsPerKvHead, int valueDim, KvLayer cache) =>
        StateFloats(headsPerKvHead, valueDim) + cache.ScratchFloats;

    private static int GroupOf(int headsPerKvHead) => (headsPerKvHead + Shares(headsPerKvHead) - 1) / Shares(headsPerKvHead);

    private static int StateFloats(int headsPerKvHead, int valueDim)
    {
        var queries = Whole(RowsPerItem(headsPerKvHead) * GroupOf(headsPerKvHead));
        return (queries * (sizeof(Query) / sizeof(float) + Tile + valueDim) + Tile - 1) / Tile * Tile;
    }

    /// <summary>Queries with those that fill up the last four, as kernels take them: they cost nothing, since few queries wait for the
    /// latency of additions.</summary>
    private static int Whole(int queries) => queries == 1 ? 1 : (queries + 3) & ~3;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Execute(int task, int worker)
    {
        var headsPerKvHead = Heads / KvHeads;
        var shares = Shares(headsPerKvHead);
        var item = Items[task / (KvHeads * shares)];
        var kvHead = task / shares % KvHeads;
        var firstHead = kvHead * headsPerKvHead + task % shares * Group;
        var heads = Math.Min(Group, (kvHead + 1) * headsPerKvHead - firstHead);
        var count = item.Rows * heads;
        var scratch = Scratch + (long)worker * ScratchFloats(headsPerKvHead, ValueDim, Cache);
        var tile = scratch + StateFloats(headsPerKvHead, ValueDim);
        var queries = (Query*)scratch;
        var whole = Whole(count);
        var weights = (float*)(queries + whole);
        var outputs = weights + whole * Tile;
        Begin(item, firstHead, heads, queries);
        new Span<Query>(queries + count, whole - count).Fill(queries[count - 1]);
        new Span<float>(outputs, whole * ValueDim).Clear();

        var lastPosition = queries[count - 1].Position;
        var slot = queries[0].First / Tile * Tile;
        var page = PageOf(item.Sequence, kvHead, slot);
        for (; slot <= lastPosition; slot += Tile)
        {
            // Pages lie anywhere, so only this loop knows what memory comes next.
            var nextSlot = Math.Min(slot + Tile, lastPosition);
            var nextPage = PageOf(item.Sequence, kvHead, nextSlot);
            var offset = slot % BlockSize;
            var nextOffset = nextSlot / Tile * Tile % BlockSize;
            var keys = Cache.OpenKeys<V, TSimd>(page, offset, nextPage, nextOffset, tile, out var nextKeys);
            Score(queries, whole, keys, nextKeys, weights);
            for (var i = 0; i < count; i++)
            {
                var slope = AlibiSlopes == null ? 0 : AlibiSlopes[firstHead + i % heads];
                Weigh(ref queries[i], slope, slot, weights + i * Tile, outputs + (long)i * ValueDim);
            }

            var values = Cache.OpenValues<V, TSimd>(page, offset, nextPage, nextOffset, tile, out var nextValues);
            Accumulate(queries, count, slot, weights, values, nextValues, outputs);
            page = nextPage;
        }

        for (var i = 0; i < count; i++)
        {
            var scale = Cache.ValueScale / queries[i].Sum;
            AttentionKernels<V, TSimd>.Scale(outputs + (long)i * ValueDim, scale, ValueDim);
            var bytes = (long)ValueDim * sizeof(float);
            Buffer.MemoryCopy(outputs + (long)i * ValueDim, queries[i].Output, bytes, bytes);
        }
    }

    /// <summary>Where the keys and values of a slot's block begin, for one KV head.</summary>
    private readonly long PageOf(int sequence, int kvHead, int slot)
    {
        var index = slot / BlockSize;
        var block = index < MaxBlocks ? BlockTables[(long)sequence * MaxBlocks + index] : -1;
        return (uint)block < (uint)NumBlocks
            ? Cache.PageOf(block, kvHead)
            : throw new ArgumentException($"the block table of sequence {sequence} has no block of the {NumBlocks} at [{index}]");
    }

    /// <summary>The task's queries: row after row, in a row the heads. Positions ascend.</summary>
    private readonly void Begin(AttentionItem item, int firstHead, int heads, Query* queries)
    {
        for (var row = item.FirstRow; row < item.FirstRow + item.Rows; row++)
        {
            var position = Positions[row];
            var first = Math.Max(
                SlidingWindow == 0 ? 0 : Math.Max(0, position - SlidingWindow + 1), Chunk == 0 ? 0 : position / Chunk * Chunk);
            var scale = Scale * Cache.KeyScale * (QueryScales == null ? 1 : QueryScaleAt(position));
            for (var head = firstHead; head < firstHead + heads; head++)
            {
                *queries++ = new Query
                {
                    Vector = Qkv + (long)row * QueryColumns + (long)head * HeadDim,
                    Output = Output + ((long)row * Heads + head) * ValueDim,
                    First = first,
                    Position = position,
                    Scale = scale,

                    // A sink is a score without a value: the first that the softmax sees.
                    Maximum = Sinks == null ? float.NegativeInfinity : Sinks[head],
                    Sum = Sinks == null ? 0 : 1,
                };
            }
        }
    }

    private readonly float QueryScaleAt(int position) => (uint)position < (uint)MaxPositions
        ? QueryScales[position]
        : throw new ArgumentOutOfRangeException(nameof(position), position, $"queries have scales at positions below {MaxPositions}");

    private readonly void Score(Query* queries, int count, float* keys, float* nextKeys, float* scores)
    {
        var i = 0;
        for (; i <= count - 4; i += 4)
        {
            AttentionKernels<V, TSimd>.Score4(
                queries[i].Vector,
                queries[i + 1].Vector,
                queries[i + 2].Vector,
                queries[i + 3].Vector,
                keys,
                nextKeys,
                Cache.KeyStride,
                HeadDim,
                scores + i * Tile);
            nextKeys = keys;
        }

        for (; i < count; i++)
        {
            AttentionKernels<V, TSimd>.Score1(queries[i].Vector, keys, nextKeys, Cache.KeyStride, HeadDim, scores + i * Tile);
            nextKeys = keys;
        }
    }

    /// <summary>Turns a tile's scores into weights relative to the running maximum and rescales what was summed under an older
    /// one.</summary>
    private readonly void Weigh(ref Query query, float alibiSlope, int slot, float* scores, float* output)
    {
        var (from, to) = query.VisibleIn(slot);
        if (from >= to)
        {
            return;
        }

        // Most tiles are seen whole, and take a pass before the maximum is known and one after it.
        if (from == 0 && to == Tile && LogitSoftCap == 0 && alibiSlope == 0)
        {
            Raise(ref query, AttentionKernels<V, TSimd>.ScaledLargest(scores, query.Scale, query.Maximum), output);
            query.Sum += AttentionKernels<V, TSimd>.ExpMinus(scores, query.Maximum);
            return;
        }

        AttentionKernels<V, TSimd>.Scale(scores, query.Scale, Tile);
        if (LogitSoftCap != 0)
        {
            AttentionKernels<V, TSimd>.SoftCap(scores, LogitSoftCap);
        }

        if (alibiSlope != 0)
        {
            for (var i = 0; i < Tile; i++)
            {
                scores[i] += alibiSlope * (slot + i - query.Position);
            }
        }

        FillOutside(scores, from, to, float.NegativeInfinity);
        Raise(ref query, AttentionKernels<V, TSimd>.Largest(scores, query.Maximum), output);
        AttentionKernels<V, TSimd>.ExpMinus(scores, query.Maximum);
        FillOutside(scores, from, to, 0);
        query.Sum += VirtualLanes<V, TSimd>.Sum(scores);
    }

    /// <summary>Brings what was summed so far to a new maximum.</summary>
    private readonly void Raise(ref Query query, float maximum, float* output)
    {
        if (maximum > query.Maximum)
        {
            var factor = VectorMath<float, SimdScalar>.Exp(query.Maximum - maximum);
            query.Sum *= factor;
            query.Maximum = maximum;
            AttentionKernels<V, TSimd>.Scale(output, factor, ValueDim);
        }
    }

    private static void FillOutside(float* tile, int from, int to, float value)
    {
        for (var i = 0; i < from; i++)
        {
            tile[i] = value;
        }

        for (var i = to; i < Tile; i++)
        {
            tile[i] = value;
        }
    }

    private readonly void Accumulate(Query* queries, int count, int slot, float* weights, float* values, float* nextValues, float* outputs)
    {
        for (var i = 0; i < count; i++)
        {
            // As positions ascend, the first of four decides where all must end and the last where all must begin.
            if (count > 1 && i % 4 == 0 && queries[i].VisibleIn(slot).To == Tile && queries[i + 3].VisibleIn(slot).From == 0)
            {
                AttentionKernels<V, TSimd>.Accumulate4(
                    weights + i * Tile, values, nextValues, Cache.ValueStride, ValueDim, outputs + (long)i * ValueDim);
                nextValues = values;
                i += 3;
                continue;
            }

            var (from, to) = queries[i].VisibleIn(slot);
            if (from < to)
            {
                AttentionKernels<V, TSimd>.Accumulate1(
                    weights + i * Tile, from, to, values, nextValues, Cache.ValueStride, ValueDim, outputs + (long)i * ValueDim);
                nextValues = values;
            }
        }
    }

    /// <summary>One query head of one row and what its softmax has seen so far.</summary>
    private struct Query
    {
        public float* Vector;
        public float* Output;

        /// <summary>The positions it sees are [First, Position].</summary>
        public int First;
        public int Position;

        /// <summary>Multiplies q·k.</summary>
        public float Scale;
        public float Maximum;
        public float Sum;

        /// <summary>The slots of a tile it sees, relative to the tile; none when From ≥ To.</summary>
        public readonly (int From, int To) VisibleIn(int slot) => (Math.Max(0, First - slot), Math.Min(Tile, Position + 1 - slot));
    }
}
