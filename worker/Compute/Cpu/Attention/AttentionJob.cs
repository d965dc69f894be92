using System.Runtime.CompilerServices;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Cpu.Threads;

namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>Paged attention (Kwon et al. 2023) with online softmax (Milakov and Gimelshein 2018); a task is one <see cref="AttentionItem"/>
/// of one KV head, or of as many of its query heads as a task aims to have, and all of its context or a piece of it. Called by
/// <see cref="VectorBackend{V, TSimd}"/>; the products are in <see cref="ScoreKernels{V, TSimd, TCodes}"/> and
/// <see cref="ValueKernels{V, TSimd, TCodes}"/>.</summary>
/// <remarks>
/// A query walks the stretches between its window's start and its own position, in that order, and in a stretch the tiles of 16 slots:
/// <code>
/// scores of the stretch → their maximum → weights and their sum → weighted values → merged with the stretches before
/// </code>
/// Where tiles and stretches begin depends on positions alone, so a result does not depend on the other rows, on how a prompt was cut
/// into chunks, on which blocks the pages are or on how threads share the context (<see cref="AttentionMerge{V, TSimd, TCodes}"/>).
/// Slots outside a query's range may hold anything, NaN included: their scores are overwritten and their values never touched.
/// </remarks>
internal unsafe struct AttentionJob<V, TSimd, TCodes> : IParallelBody
    where V : unmanaged
    where TSimd : ISimd<V>
    where TCodes : ICacheCodes<TCodes>
{
    /// <summary>Queries a task aims to have, over rows and the query heads that share a KV head.</summary>
    private const int QueriesPerItem = 16;

    /// <summary>Queries that kernels take at most.</summary>
    private const int QueriesAtOnce = 4;

    /// <summary>With more queries any codes are decoded in memory, once for all.</summary>
    private const int MostQueriesOfCodes = 2 * QueriesAtOnce;

    private const int Tile = CpuKvCache.TileSlots;
    private const int Stretch = AttentionStretch.Slots;

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

    /// <summary><see cref="ScratchFloats"/> for each worker.</summary>
    public float* Scratch;

    /// <summary>Null where a task has its whole context; else <see cref="PartFloats"/> for each task and each of
    /// <see cref="MaxStretches"/>.</summary>
    public float* Parts;

    /// <summary>Tasks that share a context.</summary>
    public int Pieces;
    public int MaxStretches;

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

    /// <summary>Queries, their scores in a stretch, what they have summed, a part, and tiles.</summary>
    public static int ScratchFloats(int headsPerKvHead, int valueDim, KvLayer cache) =>
        StateFloats(MaxQueries(headsPerKvHead), valueDim) + PartFloats(headsPerKvHead, valueDim)
            + StretchTiles<V, TSimd, TCodes>.AddressFloats + StretchTiles<V, TSimd, TCodes>.ScratchFloats(cache);

    /// <summary>What queries sum in one stretch: values, then maxima and sums of weights.</summary>
    public static int PartFloats(int headsPerKvHead, int valueDim) => Aligned(MaxQueries(headsPerKvHead) * (valueDim + 2));

    private static int GroupOf(int headsPerKvHead) => (headsPerKvHead + Shares(headsPerKvHead) - 1) / Shares(headsPerKvHead);

    private static int MaxQueries(int headsPerKvHead) => RowsPerItem(headsPerKvHead) * GroupOf(headsPerKvHead);

    /// <summary>Kernels of few queries may write the scores of two more.</summary>
    private static int StateFloats(int queries, int valueDim) =>
        Aligned(queries * (sizeof(Query) / sizeof(float) + valueDim)) + (queries + 2) * Stretch;

    private static int Aligned(int floats) => (floats + Tile - 1) / Tile * Tile;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Execute(int task, int worker)
    {
        var work = Begin(task / Pieces, worker);
        var tiles = new StretchTiles<V, TSimd, TCodes>(Cache, work.Tiles, !TCodes.IsCheap || work.Count > MostQueriesOfCodes);
        var (first, end) = (work.FirstStretch, work.EndStretch);
        var (piece, stretches) = (task % Pieces, end - first);
        end = first + (int)((piece + 1L) * stretches / Pieces);
        first += (int)((long)piece * stretches / Pieces);
        for (var stretch = first; stretch < end; stretch++)
        {
            var part = Parts == null ? work.Part : PartOf(task / Pieces, stretch - work.FirstStretch);
            Attend(work, ref tiles, stretch, stretch + 1 < end, part);
            if (Parts == null)
            {
                Merge(work, part);
            }
        }

        if (Parts == null)
        {
            Finish(work);
        }
    }

    /// <summary>Merges the parts that pieces of a context have left.</summary>
    public readonly void Merge(int task, int worker)
    {
        var work = Begin(task, worker);
        for (var stretch = work.FirstStretch; stretch < work.EndStretch; stretch++)
        {
            Merge(work, PartOf(task, stretch - work.FirstStretch));
        }

        Finish(work);
    }

    private readonly float* PartOf(int task, int stretch) =>
        Parts + ((long)task * MaxStretches + stretch) * PartFloats(Heads / KvHeads, ValueDim);

    /// <summary>The task's queries: row after row, in a row the heads. Positions ascend.</summary>
    private readonly AttentionWork Begin(int task, int worker)
    {
        var headsPerKvHead = Heads / KvHeads;
        var shares = Shares(headsPerKvHead);
        var kvHead = task / shares % KvHeads;
        var firstHead = kvHead * headsPerKvHead + task % shares * Group;
        var maxQueries = MaxQueries(headsPerKvHead);
        var work = new AttentionWork
        {
            Item = Items[task / (KvHeads * shares)],
            KvHead = kvHead,
            FirstHead = firstHead,
            Heads = Math.Min(Group, (kvHead + 1) * headsPerKvHead - firstHead),
            Scores = Scratch + (long)worker * ScratchFloats(headsPerKvHead, ValueDim, Cache),
        };
        work.Queries = (Query*)(work.Scores + (maxQueries + 2) * Stretch);
        work.Sums = (float*)(work.Queries + maxQueries);
        work.Part = work.Scores + StateFloats(maxQueries, ValueDim);
        work.Tiles = work.Part + PartFloats(headsPerKvHead, ValueDim);
        var query = work.Queries;
        for (var row = work.Item.FirstRow; row < work.Item.FirstRow + work.Item.Rows; row++)
        {
            var position = Positions[row];
            var first = AttentionStretch.FirstSeen(position, SlidingWindow, Chunk);
            var scale = Scale * Cache.KeyScale * (QueryScales == null ? 1 : QueryScaleAt(position));
            for (var head = firstHead; head < firstHead + work.Heads; head++)
            {
                *query++ = new Query
                {
                    Vector = Qkv + (long)row * QueryColumns + (long)head * HeadDim,
                    Output = Output + ((long)row * Heads + head) * ValueDim,
                    First = first,
                    Position = position,
                    Scale = scale,

                    // A sink is a score without a value: the first that the softmax sees.
                    Maximum = Sinks == null ? float.NegativeInfinity : Sinks[head] * StretchSoftmax<V, TSimd>.Log2E,
                    Sum = Sinks == null ? 0 : 1,
                };
            }
        }

        new Span<float>(work.Sums, work.Count * ValueDim).Clear();
        return work;
    }

    private readonly float QueryScaleAt(int position) => (uint)position < (uint)MaxPositions
        ? QueryScales[position]
        : throw new ArgumentOutOfRangeException(nameof(position), position, $"queries have scales at positions below {MaxPositions}");

    /// <summary>Where the keys and values of a slot's block begin, for one KV head.</summary>
    private readonly long PageOf(int sequence, int kvHead, int slot)
    {
        var index = slot / BlockSize;
        var block = index < MaxBlocks ? BlockTables[(long)sequence * MaxBlocks + index] : -1;
        return (uint)block < (uint)NumBlocks
            ? Cache.PageOf(block, kvHead)
            : throw new ArgumentException($"the block table of sequence {sequence} has no block of the {NumBlocks} at [{index}]");
    }

    /// <summary>One stretch, as far as the queries see it.</summary>
    private readonly void Attend(in AttentionWork work, ref StretchTiles<V, TSimd, TCodes> tiles, int stretch, bool hasNext, float* part)
    {
        var first = List(work, ref tiles, stretch, hasNext);
        var groups = (work.Count + QueriesAtOnce - 1) / QueriesAtOnce;
        for (var tile = 0; tile < tiles.Count; tile += 2)
        {
            var keys = tiles.OpenKeys(tile);
            for (var group = 0; group < groups; group++)
            {
                int i = work.Count * group / groups, count = work.Count * (group + 1) / groups - i;
                var scores = work.Scores + i * Stretch + tile * Tile;
                if (tiles.KeysAreFloats)
                {
                    ScoreKernels<V, TSimd, F32Codes>.Score(work.Queries + i, count, keys, HeadDim, scores);
                }
                else
                {
                    ScoreKernels<V, TSimd, TCodes>.Score(work.Queries + i, count, keys, HeadDim, scores);
                }

                keys.FirstAhead = keys.First;
                keys.SecondAhead = keys.Second;
            }
        }

        var maxima = part + work.Count * ValueDim;
        for (var i = 0; i < work.Count; i++)
        {
            var slope = AlibiSlopes == null ? 0 : AlibiSlopes[work.FirstHead + i % work.Heads];
            var scores = work.Scores + i * Stretch;
            maxima[work.Count + i] = StretchSoftmax<V, TSimd>.Weigh(
                work.Queries[i], LogitSoftCap, slope, first, tiles.Count * Tile, scores, out maxima[i]);
        }

        new Span<float>(part, work.Count * ValueDim).Clear();
        for (var tile = 0; tile < tiles.Count; tile += tiles.ValueTilesAtOnce)
        {
            var end = Math.Min(tile + tiles.ValueTilesAtOnce, tiles.Count);
            var values = tiles.OpenValues(tile, end);
            for (var group = 0; group < groups; group++)
            {
                int i = work.Count * group / groups, count = work.Count * (group + 1) / groups - i;
                Accumulate(work, i, count, first, tile * Tile, end * Tile, values, tiles.ValuesAreFloats, part + i * ValueDim);
                values.Ahead = values.Tiles;
            }
        }
    }

    /// <summary>Lists the tiles of a stretch that any query sees.</summary>
    /// <returns>The first slot of the first.</returns>
    private readonly int List(in AttentionWork work, ref StretchTiles<V, TSimd, TCodes> tiles, int stretch, bool hasNext)
    {
        var lastTile = work.Queries[work.Count - 1].Position / Tile;
        var first = Math.Max(work.Queries[0].First / Tile, stretch * AttentionStretch.Tiles);
        var end = Math.Min(lastTile + 1, (stretch + 1) * AttentionStretch.Tiles);
        var nextEnd = hasNext ? Math.Min(lastTile + 1, (stretch + 2) * AttentionStretch.Tiles) : end;
        tiles.Clear(end - first);
        for (var tile = first; tile < nextEnd; tile++)
        {
            var slot = tile * Tile;
            var page = PageOf(work.Item.Sequence, work.KvHead, slot);
            if (tile < end)
            {
                tiles.Add(tile - first, page, slot % BlockSize);
            }
            else
            {
                tiles.AddNext(tile - end, page, slot % BlockSize);
            }
        }

        tiles.End(nextEnd - end);
        return first * Tile;
    }

    /// <summary>Adds weighted values of the slots in [begin, end) for a group of queries: together where all see a slot, one by one before
    /// and behind.</summary>
    private readonly void Accumulate(
        in AttentionWork work, int query, int count, int slot, int begin, int end, in ValueTiles values, bool areFloats, float* sums)
    {
        // As positions ascend, the first decides where all must end and the last where all must begin.
        var from = Math.Max(begin, work.Queries[query + count - 1].First - slot);
        var to = Math.Min(end, work.Queries[query].Position + 1 - slot);
        if (from >= to)
        {
            from = to = end;
        }

        for (var i = 0; i < count; i++)
        {
            var ownFrom = Math.Max(begin, work.Queries[query + i].First - slot);
            var ownTo = Math.Min(end, work.Queries[query + i].Position + 1 - slot);
            Accumulate(work, query + i, 1, ownFrom, Math.Min(from, ownTo), values, areFloats, sums + i * ValueDim);
        }

        Accumulate(work, query, count, from, to, values, areFloats, sums);
        for (var i = 0; i < count; i++)
        {
            var ownTo = Math.Min(end, work.Queries[query + i].Position + 1 - slot);
            Accumulate(work, query + i, 1, to, ownTo, values, areFloats, sums + i * ValueDim);
        }
    }

    private readonly void Accumulate(
        in AttentionWork work, int query, int count, int from, int to, in ValueTiles values, bool areFloats, float* sums)
    {
        var weights = work.Scores + query * Stretch;
        if (from >= to)
        {
            return;
        }

        if (areFloats)
        {
            ValueKernels<V, TSimd, F32Codes>.Accumulate(weights, count, from, to, values, ValueDim, sums);
        }
        else
        {
            ValueKernels<V, TSimd, TCodes>.Accumulate(weights, count, from, to, values, ValueDim, sums);
        }
    }

    private readonly void Merge(in AttentionWork work, float* part)
    {
        var maxima = part + work.Count * ValueDim;
        for (var i = 0; i < work.Count; i++)
        {
            StretchSoftmax<V, TSimd>.Merge(
                ref work.Queries[i], work.Sums + i * ValueDim, maxima[i], maxima[work.Count + i], part + i * ValueDim, ValueDim);
        }
    }

    private readonly void Finish(in AttentionWork work)
    {
        for (var i = 0; i < work.Count; i++)
        {
            StretchSoftmax<V, TSimd>.Scale(work.Sums + i * ValueDim, Cache.ValueScale / work.Queries[i].Sum, ValueDim);
            var bytes = (long)ValueDim * sizeof(float);
            Buffer.MemoryCopy(work.Sums + i * ValueDim, work.Queries[i].Output, bytes, bytes);
        }
    }
}
