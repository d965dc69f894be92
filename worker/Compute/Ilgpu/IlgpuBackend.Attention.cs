using System.Collections.Immutable;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using Cluster.Worker.Compute.Ilgpu.Kernels;
using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Compute.Ilgpu;

/// <content>Positions, cache and attention.</content>
internal sealed partial class IlgpuBackend
{
    /// <summary>Memory that stretches of contexts may take between kernels: what a few long sequences need. Steps that would need more keep
    /// the device busy without.</summary>
    private const long MaxPartialBytes = 256 << 20;

    private Scratchpad _partial;
    private Scratchpad _arrivals;

    /// <exception cref="NotSupportedException">There is no kernel for such a cache.</exception>
    public override KvCache AllocateKvCache(KvCacheLayout layout)
    {
        layout.RequireWhole();
        if (!BackendKernels.Caches.ContainsKey(layout.DType))
        {
            throw new NotSupportedException(
                $"a KV cache of {layout.DType} is not supported on {Name}; supported: {string.Join(", ", BackendKernels.Caches.Keys)}");
        }

        if (layout.HeadDim > Kernels.PagedAttention.MaxElements)
        {
            throw new NotSupportedException(
                $"heads of {layout.HeadDim} elements are not supported on {Name}; supported: up to {Kernels.PagedAttention.MaxElements}");
        }

        var bytes = 16L * IlgpuKvCache.HeadPiecesOf(layout) * layout.KvHeads * layout.BlockSize * layout.NumBlocks;
        ImmutableArray<MemoryRange> Layers(string name) =>
        [
            .. Enumerable.Range(0, layout.Layers).Select(layer =>
            {
                var range = _arena.Take($"{name} of layer {layer}", bytes);
                _launcher.Clear(range);
                return range;
            }),
        ];
        return new IlgpuKvCache(layout, Layers("keys"), layout.IsLatent ? [] : Layers("values"));
    }

    public override void RopeAndCache(
        Tensor qkv, RopeTable? rope, in AttentionInputs inputs, KvCache cache, int layer, KvScales? scales = null)
    {
        var (layout, own) = (cache.Layout, (IlgpuKvCache)cache);
        var (factors, heads) = CheckRope(qkv, rope, layout, scales);
        _launcher.Launch(
            BackendKernels.Caches[layout.DType].Write, new GridSize(heads + 2 * layout.KvHeads, qkv.Rows), qkv,
            (rope as IlgpuRopeTable)?.Memory ?? _nothing, RangeOf(inputs.Positions, DType.I32, qkv.Rows),
            RangeOf(inputs.SlotMapping, DType.I32, qkv.Rows), own.Keys[layer], own.Values[layer], heads, layout.KvHeads, layout.HeadDim,
            (rope?.RotaryDim ?? 0) / 2, rope?.FirstDim ?? 0, StepOf(rope), own.HeadPieces, layout.BlockSize,
            1 / factors.Key, 1 / factors.Value);
    }

    public override void NormRopeAndCache(
        Tensor qkv, Tensor queryNorm, Tensor keyNorm, float epsilon, RopeTable? rope, in AttentionInputs inputs, KvCache cache, int layer,
        KvScales? scales = null)
    {
        var (layout, own) = (cache.Layout, (IlgpuKvCache)cache);
        var (factors, heads) = CheckRope(qkv, rope, layout, scales);
        Require(queryNorm, 1, layout.HeadDim);
        Require(keyNorm, 1, layout.HeadDim);
        _launcher.Launch(
            BackendKernels.Caches[layout.DType].WriteNormed, new GridSize(heads + 2 * layout.KvHeads, qkv.Rows), qkv,
            (rope as IlgpuRopeTable)?.Memory ?? _nothing, RangeOf(inputs.Positions, DType.I32, qkv.Rows),
            RangeOf(inputs.SlotMapping, DType.I32, qkv.Rows), own.Keys[layer], own.Values[layer], queryNorm, keyNorm, heads, layout.KvHeads,
            layout.HeadDim, (rope?.RotaryDim ?? 0) / 2, rope?.FirstDim ?? 0, StepOf(rope), own.HeadPieces, layout.BlockSize,
            1 / factors.Key, 1 / factors.Value, epsilon);
    }

    public override void Rotate(Tensor x, RopeTable rope, Tensor positions, int firstHead, int heads, int headDim)
    {
        rope.RequireHeads(headDim);
        if (firstHead < 0 || heads < 0 || (firstHead + (long)heads) * headDim > x.Columns)
        {
            throw new ArgumentException($"{x} has no {heads} heads of {headDim} from head {firstHead} on");
        }

        _launcher.Launch(
            BackendKernels.Rotate, new GridSize(heads, x.Rows), x, ((IlgpuRopeTable)rope).Memory,
            RangeOf(positions, DType.I32, x.Rows), x.Columns, firstHead, headDim, rope.RotaryDim / 2, rope.FirstDim, StepOf(rope));
    }

    public override void LatentToCache(Tensor latent, in AttentionInputs inputs, KvCache cache, int layer, KvScales? scales = null)
    {
        var (layout, own) = (cache.Layout, (IlgpuKvCache)cache);
        Require(latent, latent.Rows, layout.HeadDim);
        _launcher.Launch(
            BackendKernels.Caches[layout.DType].WriteLatent, new GridSize(latent.Rows), latent,
            RangeOf(inputs.SlotMapping, DType.I32, latent.Rows), own.Keys[layer], layout.HeadDim, own.HeadPieces,
            1 / KvScales.For(layout.DType, scales).Key);
    }

    public override void CopyKvBlocks(KvCache cache, Tensor pairs)
    {
        var own = (IlgpuKvCache)cache;
        foreach (var blocks in own.Keys.Concat(own.Values))
        {
            _launcher.Launch(
                BackendKernels.CopyBlocks, new GridSize(GridSize.Groups(own.BlockPieces, Wave.Lanes)), blocks,
                RangeOf(pairs, DType.I32, 2L * pairs.Rows), own.BlockPieces, pairs.Rows);
        }
    }

    public override void PagedAttention(
        Tensor qkv, in AttentionInputs inputs, KvCache cache, int layer, AttentionSettings settings, Tensor output)
    {
        var (layout, own) = (cache.Layout, (IlgpuKvCache)cache);
        Require(qkv, qkv.Rows, layout.QueryColumns(settings.Heads));
        Require(output, qkv.Rows, settings.Heads * layout.ValueDim);
        var scales = KvScales.For(layout.DType, settings.CacheScales);
        var valueScale = layout.IsLatent ? scales.Key : scales.Value;
        var sinks = settings.Sinks is { } tensor ? RangeOf(tensor, DType.F32, settings.Heads) : _nothing;
        var perKvHead = settings.Heads / layout.KvHeads;
        var (flash, flashRows) = FlashOf(layout, qkv.Rows == inputs.ContextLengths.Rows ? perKvHead : int.MaxValue);
        var headsOfGroup = flash is not null
            ? Math.Min(perKvHead, flashRows)
            : Math.Min(
                Math.Min(perKvHead, Kernels.PagedAttention.MaxHeads),
                Kernels.PagedAttention.MaxElements / (own.HeadPieces * 16 / layout.DType.Size()));
        var chunks = layout.KvHeads * GridSize.Groups(perKvHead, headsOfGroup);
        var splits = Splits(qkv.Rows, settings.Heads, layout.ValueDim, chunks, inputs.MaxContextLength);
        var grid = new GridSize(chunks, qkv.Rows, splits);
        var positions = RangeOf(inputs.Positions, DType.I32, qkv.Rows);
        var starts = RangeOf(inputs.QueryStarts, DType.I32, inputs.QueryStarts.Rows);
        var tables = RangeOf(inputs.BlockTables, DType.I32, (long)inputs.BlockTables.Rows * inputs.BlockTables.Columns);
        var slopes = settings.AlibiSlopes is { } alibi ? RangeOf(alibi, DType.F32, settings.Heads) : _nothing;
        var temperatures = settings.QueryScales is { } queryScales ? RangeOf(queryScales, DType.F32, queryScales.Columns) : _nothing;
        var partial = splits > 1 ? _partial.Memory : _nothing;
        var arrivals = splits > 1 ? _arrivals.Memory : _nothing;
        if (flash is not null)
        {
            _launcher.Launch(
                flash, grid, qkv, own.Keys[layer], own.Values[layer], positions, starts, tables, slopes, sinks, temperatures, output,
                partial, arrivals, inputs.ContextLengths.Rows, inputs.BlockTables.Columns, qkv.Columns, settings.Heads, layout.KvHeads,
                layout.HeadDim, own.HeadPieces, layout.BlockSize, headsOfGroup, settings.SlidingWindow, settings.Chunk,
                settings.AlibiSlopes is not null, settings.Sinks is not null, settings.QueryScales is not null,
                settings.Scale * scales.Key, valueScale, settings.LogitSoftCap);
            return;
        }

        _launcher.Launch(
            BackendKernels.Caches[layout.DType].Attend, grid, qkv, own.Keys[layer],
            layout.IsLatent ? own.Keys[layer] : own.Values[layer], positions, starts, tables, slopes, sinks, temperatures, output,
            partial, arrivals, inputs.ContextLengths.Rows, inputs.BlockTables.Columns, qkv.Columns, settings.Heads,
            layout.KvHeads, layout.HeadDim, layout.ValueDim, own.HeadPieces, layout.BlockSize, layout.IsLatent, headsOfGroup,
            settings.SlidingWindow, settings.Chunk, settings.AlibiSlopes is not null, settings.Sinks is not null,
            settings.QueryScales is not null, settings.Scale * scales.Key, valueScale, settings.LogitSoftCap);
    }

    /// <param name="rows">That share keys and values, at most.</param>
    /// <returns>The kernel with matrix instructions, where there is one for the cache, and the rows of its groups.</returns>
    private (Compile.Kernel? Kernel, int Rows) FlashOf(KvCacheLayout layout, int rows)
    {
        switch (_launcher.MatrixCores)
        {
            case MatrixCores.Mfma:
                return (BackendKernels.Caches[layout.DType].FlashOf(layout), Kernels.FlashAttention.RowsOf(_launcher.Waves));
            case MatrixCores.Mma:
                var (kernel, shares) = WarpAttentionKernels.Of(layout, _options.RoundsActivations, rows);
                return (kernel, shares ? WarpAttention.SharedRows : WarpAttention.Rows);
            default:
                return (null, 0);
        }
    }

    /// <returns>What keys and values are divided by, and the query heads.</returns>
    private static (KvScales Factors, int Heads) CheckRope(Tensor qkv, RopeTable? rope, KvCacheLayout layout, KvScales? scales)
    {
        rope?.RequireHeads(layout.HeadDim);
        var heads = qkv.Columns / layout.HeadDim - 2 * layout.KvHeads;
        Require(qkv, qkv.Rows, (heads + 2 * layout.KvHeads) * layout.HeadDim);
        return (KvScales.For(layout.DType, scales), heads);
    }

    /// <summary>Elements from one pair of a head to the next; see <see cref="Kernels.RopeAndCache"/>.</summary>
    private static int StepOf(RopeTable? rope) => rope is { Interleaved: true } ? 2 : 1;

    /// <summary>Groups that share a row's context: as many as it has stretches where there would otherwise be too few to keep the device
    /// busy, else one. The results are the same.</summary>
    private int Splits(int rows, int heads, int valueDim, int chunks, int maxContextLength)
    {
        var stretches = GridSize.Groups(maxContextLength, Kernels.PagedAttention.Stretch);
        var bytes = sizeof(float) * (long)stretches * rows * heads * (valueDim + 2);
        if (stretches == 1 || (long)rows * chunks >= _launcher.BusyGroups || bytes > MaxPartialBytes)
        {
            return 1;
        }

        try
        {
            Scratch(ref _partial, "attention stretches", bytes);
            if (Scratch(ref _arrivals, "groups of stretches", sizeof(int) * (long)rows * chunks))
            {
                _launcher.Clear(_arrivals.Memory);
            }

            return stretches;
        }
        catch (InsufficientMemoryException)
        {
            return 1;
        }
    }
}
