namespace Cluster.Worker.Compute.Profiling;

/// <content>The operations of steps, each with what it must at least read, write and compute.</content>
internal sealed partial class ProfilingBackend
{
    /// <summary>Of a norm's element: square, sum, scale, weigh.</summary>
    private const double NormOperations = 4;

    public override void Embed(Tensor ids, EmbeddingTable table, Tensor output)
    {
        var begun = Begin();
        inner.Embed(ids, table, output);
        EndOfTable(begun, table, output);
    }

    public override void AddEmbedding(Tensor ids, EmbeddingTable table, Tensor output)
    {
        var begun = Begin();
        inner.AddEmbedding(ids, table, output);
        EndOfTable(begun, table, output);
    }

    public override void EmbedShard(Tensor ids, int firstId, EmbeddingTable table, Tensor output)
    {
        var begun = Begin();
        inner.EmbedShard(ids, firstId, table, output);
        EndOfTable(begun, table, output);
    }

    public override void RmsNorm(Tensor x, Tensor weight, float epsilon, Tensor output)
    {
        var begun = Begin();
        inner.RmsNorm(x, weight, epsilon, output);
        End(begun, "norm", BytesOf(x) + BytesOf(weight) + BytesOf(output), NormOperations * Count(x));
    }

    public override void AddRmsNorm(Tensor residual, Tensor x, Tensor weight, float epsilon, Tensor output)
    {
        var begun = Begin();
        inner.AddRmsNorm(residual, x, weight, epsilon, output);
        End(
            begun, "add and norm", 2 * BytesOf(residual) + BytesOf(x) + BytesOf(weight) + BytesOf(output), (NormOperations + 1) * Count(x));
    }

    public override void RmsNormHeads(Tensor x, int firstHead, int heads, Tensor weight, float epsilon)
    {
        var begun = Begin();
        inner.RmsNormHeads(x, firstHead, heads, weight, epsilon);
        EndOfHeads(begun, "norm of heads", x, heads * weight.Columns);
    }

    public override void RmsNormHeads(Tensor x, int heads, Tensor weight, int nextHeads, Tensor nextWeight, float epsilon)
    {
        var begun = Begin();
        inner.RmsNormHeads(x, heads, weight, nextHeads, nextWeight, epsilon);
        EndOfHeads(begun, "norm of heads", x, (heads + nextHeads) * weight.Columns);
    }

    public override void LayerNormHeads(Tensor x, int firstHead, int heads, Tensor weight, float epsilon)
    {
        var begun = Begin();
        inner.LayerNormHeads(x, firstHead, heads, weight, epsilon);
        EndOfHeads(begun, "norm of heads", x, weight.Columns);
    }

    public override void SumSquares(Tensor x, int first, int count, Tensor sums, int column)
    {
        var begun = Begin();
        inner.SumSquares(x, first, count, sums, column);
        End(begun, "norm over ranks", sizeof(float) * (double)x.Rows * count, 2.0 * x.Rows * count);
    }

    public override void RmsScale(Tensor x, int first, Tensor weight, Tensor sums, int column, int features, float epsilon)
    {
        var begun = Begin();
        inner.RmsScale(x, first, weight, sums, column, features, epsilon);
        EndOfHeads(begun, "norm over ranks", x, weight.Columns);
    }

    public override void LayerNorm(Tensor x, Tensor weight, Tensor bias, float epsilon, Tensor output)
    {
        var begun = Begin();
        inner.LayerNorm(x, weight, bias, epsilon, output);
        End(begun, "norm", BytesOf(x) + 2 * BytesOf(weight) + BytesOf(output), (NormOperations + 2) * Count(x));
    }

    public override void AddLayerNorm(Tensor residual, Tensor x, Tensor weight, Tensor bias, float epsilon, Tensor output)
    {
        var begun = Begin();
        inner.AddLayerNorm(residual, x, weight, bias, epsilon, output);
        End(
            begun, "add and norm", 2 * BytesOf(residual) + BytesOf(x) + 2 * BytesOf(weight) + BytesOf(output),
            (NormOperations + 3) * Count(x));
    }

    public override void Add(Tensor residual, Tensor x)
    {
        var begun = Begin();
        inner.Add(residual, x);
        End(begun, "add", 2 * BytesOf(residual) + BytesOf(x), Count(x));
    }

    public override void Scale(Tensor x, float factor)
    {
        var begun = Begin();
        inner.Scale(x, factor);
        End(begun, "scale", 2 * BytesOf(x), Count(x));
    }

    public override void ScaleRows(Tensor x, Tensor factors)
    {
        var begun = Begin();
        inner.ScaleRows(x, factors);
        End(begun, "scale", 2 * BytesOf(x) + BytesOf(factors), Count(x));
    }

    public override void SoftCap(Tensor x, float cap)
    {
        var begun = Begin();
        inner.SoftCap(x, cap);
        End(begun, "scale", 2 * BytesOf(x), 3 * Count(x));
    }

    public override void Linear(Tensor x, LinearWeight weight, Tensor output)
    {
        var begun = Begin();
        inner.Linear(x, weight, output);
        End(
            begun, $"linear {weight.OutFeatures}×{weight.InFeatures}", weight.ResidentBytes + BytesOf(x) + BytesOf(output),
            2.0 * x.Rows * weight.InFeatures * weight.OutFeatures);
    }

    public override void GatedLinear(Tensor x, LinearWeight weight, Activation activation, Tensor gateUp, Tensor output)
    {
        if (launches is null)
        {
            // Not one operation there, so its parts are counted.
            base.GatedLinear(x, weight, activation, gateUp, output);
            return;
        }

        var begun = Begin();
        inner.GatedLinear(x, weight, activation, gateUp, output);
        End(
            begun, $"linear {weight.OutFeatures}×{weight.InFeatures} and gate", weight.ResidentBytes + BytesOf(x) + BytesOf(output),
            (2.0 * x.Rows * weight.InFeatures * weight.OutFeatures) + Count(output));
    }

    public override void RopeAndCache(
        Tensor qkv, RopeTable? rope, in AttentionInputs inputs, KvCache cache, int layer, KvScales? scales = null)
    {
        var begun = Begin();
        inner.RopeAndCache(qkv, rope, inputs, cache, layer, scales);
        End(begun, "rope and cache", 2 * BytesOf(qkv) + CacheBytes(cache, qkv.Rows), 3 * Count(qkv));
    }

    public override void NormRopeAndCache(
        Tensor qkv, Tensor queryNorm, Tensor keyNorm, float epsilon, RopeTable? rope, in AttentionInputs inputs, KvCache cache, int layer,
        KvScales? scales = null)
    {
        if (launches is null)
        {
            // Not one operation there, so its parts are counted.
            base.NormRopeAndCache(qkv, queryNorm, keyNorm, epsilon, rope, inputs, cache, layer, scales);
            return;
        }

        var begun = Begin();
        inner.NormRopeAndCache(qkv, queryNorm, keyNorm, epsilon, rope, inputs, cache, layer, scales);
        End(begun, "norms, rope and cache", 2 * BytesOf(qkv) + CacheBytes(cache, qkv.Rows), 7 * Count(qkv));
    }

    public override void Rotate(Tensor x, RopeTable rope, Tensor positions, int firstHead, int heads, int headDim)
    {
        var begun = Begin();
        inner.Rotate(x, rope, positions, firstHead, heads, headDim);
        EndOfHeads(begun, "rope", x, heads * headDim);
    }

    public override void LatentToCache(Tensor latent, in AttentionInputs inputs, KvCache cache, int layer, KvScales? scales = null)
    {
        var begun = Begin();
        inner.LatentToCache(latent, inputs, cache, layer, scales);
        End(begun, "rope and cache", BytesOf(latent) + CacheBytes(cache, latent.Rows), 0);
    }

    public override void CopyKvBlocks(KvCache cache, Tensor pairs)
    {
        var begun = Begin();
        inner.CopyKvBlocks(cache, pairs);
        End(begun, "copy blocks", 2.0 * pairs.Rows * cache.Layout.BytesPerBlock, 0);
    }

    public override void PagedAttention(
        Tensor qkv, in AttentionInputs inputs, KvCache cache, int layer, AttentionSettings settings, Tensor output)
    {
        var begun = Begin();
        inner.PagedAttention(qkv, inputs, cache, layer, settings, output);
        var (read, pairs) = profile.Keys(settings.SlidingWindow > 0 ? settings.SlidingWindow : settings.Chunk);
        var layout = cache.Layout;
        End(
            begun, "attention",
            sizeof(float) * (double)qkv.Rows * settings.Heads * layout.HeadDim + CacheBytes(cache, read) + BytesOf(output),
            2.0 * pairs * settings.Heads * (layout.HeadDim + layout.ValueDim));
    }

    public override void GatedActivation(Tensor gateUp, Activation activation, Tensor output)
    {
        var begun = Begin();
        inner.GatedActivation(gateUp, activation, output);
        End(begun, "activation", BytesOf(gateUp) + BytesOf(output), 5 * Count(output));
    }

    public override void ClampedActivation(Tensor gateUp, float limit, Tensor output)
    {
        var begun = Begin();
        inner.ClampedActivation(gateUp, limit, output);
        End(begun, "activation", BytesOf(gateUp) + BytesOf(output), 8 * Count(output));
    }

    public override void Activate(Tensor x, Activation activation)
    {
        var begun = Begin();
        inner.Activate(x, activation);
        End(begun, "activation", 2 * BytesOf(x), 4 * Count(x));
    }

    public override void Xielu(Tensor x, XieluScalars scalars)
    {
        var begun = Begin();
        inner.Xielu(x, scalars);
        End(begun, "activation", 2 * BytesOf(x), 6 * Count(x));
    }

    public override void RouteToExperts(Tensor logits, in ExpertRouting routing, Tensor? correction, Tensor experts, Tensor weights)
    {
        var begun = Begin();
        inner.RouteToExperts(logits, routing, correction, experts, weights);
        End(begun, "router", BytesOf(logits) + BytesOf(experts) + BytesOf(weights), 4 * Count(logits));
    }

    public override void Route(
        Tensor x, LinearWeight router, Tensor logits, in ExpertRouting routing, Tensor? correction, Tensor experts, Tensor weights)
    {
        if (launches is null)
        {
            // Not one operation there, so its parts are counted.
            base.Route(x, router, logits, routing, correction, experts, weights);
            return;
        }

        var begun = Begin();
        inner.Route(x, router, logits, routing, correction, experts, weights);
        End(
            begun, $"router {router.OutFeatures}×{router.InFeatures} and choice",
            router.ResidentBytes + BytesOf(x) + BytesOf(logits) + BytesOf(experts) + BytesOf(weights),
            2.0 * x.Rows * router.InFeatures * router.OutFeatures + 4 * Count(logits));
    }

    public override void ExpertLinear(Tensor x, Tensor experts, ExpertWeights weights, Tensor output)
    {
        var begun = Begin();
        inner.ExpertLinear(x, experts, weights, output);

        // At most as many experts as there are routed rows; which ones, only the device knows.
        var touched = Math.Min(weights.Experts.Count, Count(experts));
        End(
            begun, $"experts {weights.OutFeatures}×{weights.InFeatures}",
            touched * weights.Experts[0].ResidentBytes + BytesOf(x) + BytesOf(output),
            2.0 * output.Rows * weights.InFeatures * weights.OutFeatures);
    }

    public override void HeadLinear(Tensor x, ExpertWeights heads, Tensor output)
    {
        var begun = Begin();
        inner.HeadLinear(x, heads, output);
        End(
            begun, $"heads {heads.OutFeatures}×{heads.InFeatures}",
            heads.Experts.Sum(head => (double)head.ResidentBytes) + BytesOf(x) + BytesOf(output),
            2.0 * x.Rows * heads.Experts.Count * heads.InFeatures * heads.OutFeatures);
    }

    public override void SumExperts(Tensor x, Tensor? weights, Tensor output)
    {
        var begun = Begin();
        inner.SumExperts(x, weights, output);
        End(begun, "sum of experts", BytesOf(x) + BytesOf(output), 2 * Count(x));
    }

    public override void GatherRows(Tensor x, Tensor rows, Tensor output)
    {
        var begun = Begin();
        inner.GatherRows(x, rows, output);
        End(begun, "gather rows", 2 * BytesOf(output), 0);
    }

    public override void AllReduce(Tensor x)
    {
        var begun = Begin();
        inner.AllReduce(x);
        End(begun, "all-reduce", 2 * BytesOf(x), Count(x));
    }

    public override void AllGather(Tensor part, Tensor output)
    {
        var begun = Begin();
        inner.AllGather(part, output);
        End(begun, "all-gather", BytesOf(part) + BytesOf(output), 0);
    }

    /// <summary>Keys and values of so many tokens in one layer.</summary>
    private static double CacheBytes(KvCache cache, long tokens) =>
        (double)tokens * cache.Layout.BytesPerBlock / ((double)cache.Layout.Layers * cache.Layout.BlockSize);

    private void EndOfTable((long, long) begun, EmbeddingTable table, Tensor output) =>
        End(begun, "embed", BytesOf(output) + (double)output.Rows * table.ResidentBytes / table.Rows, 0);

    private void EndOfHeads((long, long) begun, string operation, Tensor x, int columns) =>
        End(begun, operation, 2.0 * sizeof(float) * x.Rows * columns, NormOperations * x.Rows * columns);
}
