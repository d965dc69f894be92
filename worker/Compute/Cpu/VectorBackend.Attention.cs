using Cluster.Worker.Compute.Cpu.Attention;
using Cluster.Worker.Compute.Cpu.Memory;

namespace Cluster.Worker.Compute.Cpu;

/// <content>Attention: one task for each run of rows and each KV head, or several that share a long context.</content>
internal sealed unsafe partial class VectorBackend<V, TSimd>
{
    private readonly ScratchMemory _attention = new();
    private readonly ScratchMemory _attentionParts = new();
    private readonly AttentionItems _attentionItems = new();

    public override void PagedAttention(
        Tensor qkv, in AttentionInputs inputs, KvCache cache, int layer, AttentionSettings settings, Tensor output)
    {
        switch (cache.Layout.DType)
        {
            case DType.BF16:
                Attend<Bf16Codes>(qkv, inputs, cache, layer, settings, output);
                break;
            case DType.F16:
                Attend<F16Codes>(qkv, inputs, cache, layer, settings, output);
                break;
            case DType.F8E4M3:
                Attend<E4M3Codes>(qkv, inputs, cache, layer, settings, output);
                break;
            case DType.F8E5M2:
                Attend<E5M2Codes>(qkv, inputs, cache, layer, settings, output);
                break;
            default:
                Attend<F32Codes>(qkv, inputs, cache, layer, settings, output);
                break;
        }
    }

    private void Attend<TCodes>(
        Tensor qkv, in AttentionInputs inputs, KvCache cache, int layer, AttentionSettings settings, Tensor output)
        where TCodes : ICacheCodes<TCodes>
    {
        var layout = cache.Layout;
        if (settings.Heads % layout.KvHeads != 0)
        {
            throw new ArgumentException($"{settings.Heads} query heads cannot share {layout.KvHeads} KV heads evenly");
        }

        var group = settings.Heads / layout.KvHeads;
        var sequences = inputs.BlockTables.Rows;
        var queryStarts = CpuBuffer.Integers(inputs.QueryStarts, sequences + 1);
        if (queryStarts[sequences] != qkv.Rows)
        {
            throw new ArgumentException($"the query starts end at row {queryStarts[sequences]} of {qkv.Rows}");
        }

        var positions = CpuBuffer.Integers(inputs.Positions, qkv.Rows);
        _attentionItems.Split(
            new ReadOnlySpan<int>(queryStarts, sequences + 1), AttentionJob<V, TSimd, TCodes>.RowsPerItem(group));
        var stretches = _attentionItems.MostStretches(new ReadOnlySpan<int>(positions, qkv.Rows), settings.SlidingWindow, settings.Chunk);
        var tasks = _attentionItems.Count * layout.KvHeads * AttentionJob<V, TSimd, TCodes>.Shares(group);
        var pieces = AttentionStretch.PiecesOf(tasks, Threads.Count, stretches);
        var partFloats = AttentionJob<V, TSimd, TCodes>.PartFloats(group, layout.ValueDim);
        var pages = ((CpuKvCache)cache).Layer(layer, settings.CacheScales);
        var scratchFloats = AttentionJob<V, TSimd, TCodes>.ScratchFloats(group, layout.ValueDim, pages);
        fixed (AttentionItem* items = _attentionItems.Span)
        {
            var job = new AttentionJob<V, TSimd, TCodes>
            {
                Items = items,
                Qkv = CpuBuffer.Floats(qkv, qkv.Rows, layout.QueryColumns(settings.Heads)),
                Output = CpuBuffer.Floats(output, qkv.Rows, settings.Heads * layout.ValueDim),
                Positions = positions,
                BlockTables = CpuBuffer.Integers(inputs.BlockTables, (long)sequences * inputs.BlockTables.Columns),
                Cache = pages,
                Scratch = _attention.Floats((long)scratchFloats * Threads.Count),
                Parts = pieces == 1 ? null : _attentionParts.Floats((long)tasks * stretches * partFloats),
                Pieces = pieces,
                MaxStretches = stretches,
                QueryColumns = layout.QueryColumns(settings.Heads),
                Heads = settings.Heads,
                KvHeads = layout.KvHeads,
                HeadDim = layout.HeadDim,
                ValueDim = layout.ValueDim,
                BlockSize = layout.BlockSize,
                MaxBlocks = inputs.BlockTables.Columns,
                NumBlocks = layout.NumBlocks,
                Scale = settings.Scale,
                LogitSoftCap = settings.LogitSoftCap,
                SlidingWindow = settings.SlidingWindow,
                Chunk = settings.Chunk,
                AlibiSlopes = settings.AlibiSlopes is { } slopes ? CpuBuffer.Floats(slopes, 1, settings.Heads) : null,
                Sinks = settings.Sinks is { } sinks ? CpuBuffer.Floats(sinks, 1, settings.Heads) : null,
                QueryScales = settings.QueryScales is { } scales ? CpuBuffer.Floats(scales, 1, scales.Columns) : null,
                MaxPositions = settings.QueryScales?.Columns ?? int.MaxValue,
            };
            Threads.Run(tasks * pieces, (long)qkv.Rows * settings.Heads * layout.HeadDim * inputs.MaxContextLength, job);
            if (pieces > 1)
            {
                var merged = (long)qkv.Rows * settings.Heads * layout.ValueDim * stretches;
                Threads.Run(tasks, merged, new AttentionMerge<V, TSimd, TCodes>(job));
            }
        }
    }
}
