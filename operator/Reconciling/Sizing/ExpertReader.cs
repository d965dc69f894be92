using System.Collections.Immutable;

namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>Reads what experts there are, as each family's configuration says it.</summary>
internal static class ExpertReader
{
    /// <summary>Routed experts in all layers, as wide as <c>intermediate_size</c> (Mixtral, gpt-oss, MiniMax M2, OLMoE, Granite).</summary>
    public static ExpertShape InEveryLayer(ModelFields fields, int layers) =>
        Routed(fields, fields.Number(ModelFields.MostFeatures, null, "intermediate_size"), Layers(layers, _ => true));

    public static ExpertShape OfQwen3(ModelFields fields, int layers)
    {
        var step = fields.Number(ModelFields.MostLayers, 1, "decoder_sparse_step");
        var dense = fields.Numbers("mlp_only_layers", layers - 1, $"a list of layers from 0 to {layers - 1}") ?? [];
        return Routed(
            fields, fields.Number(ModelFields.MostFeatures, null, "moe_intermediate_size"),
            Layers(layers, layer => (layer + 1) % step == 0 && !dense.Contains(layer)));
    }

    public static ExpertShape OfQwen2(ModelFields fields, int layers) => OfQwen3(fields, layers) with
    {
        SharedIntermediateSize = fields.Number(ModelFields.MostFeatures, null, "shared_expert_intermediate_size"),
        SharedGate = true,
    };

    /// <param name="denseFirst">Layers without experts at the beginning, where the configuration does not say.</param>
    public static ExpertShape? OfDeepSeek(ModelFields fields, int layers, int denseFirst, bool correction)
    {
        if (!fields.Has("n_routed_experts"))
        {
            return null;
        }

        var first = fields.Optional(0, ModelFields.MostLayers, "first_k_dense_replace") ?? denseFirst;
        var step = fields.Number(ModelFields.MostLayers, 1, "moe_layer_freq");
        var width = fields.Number(ModelFields.MostFeatures, null, "moe_intermediate_size");
        return Routed(fields, width, Layers(layers, layer => layer >= first && layer % step == 0)) with
        {
            SharedIntermediateSize = width * (fields.Optional(0, ModelFields.MostExperts, "n_shared_experts") ?? 0),
            Correction = correction,
        };
    }

    public static ExpertShape OfLlama4(ModelFields fields, int layers)
    {
        var width = fields.Number(ModelFields.MostFeatures, null, "intermediate_size");
        var step = fields.Number(ModelFields.MostLayers, 1, "interleave_moe_layer_step");
        var listed = fields.Numbers("moe_layers", layers - 1, $"a list of layers from 0 to {layers - 1}");
        return Routed(
            fields, width, Layers(layers, layer => listed is null ? (layer + 1) % step == 0 : listed.Contains(layer))) with
        {
            SharedIntermediateSize = width,
        };
    }

    public static ExpertShape OfErnie(ModelFields fields, int layers)
    {
        var width = fields.Number(ModelFields.MostFeatures, null, "moe_intermediate_size");
        var first = fields.Optional(0, ModelFields.MostLayers, "moe_layer_start_index") ?? 1;
        var last = fields.Optional(-1, ModelFields.MostLayers, "moe_layer_end_index") is >= 0 and var end ? end : layers - 1;
        var step = fields.Number(ModelFields.MostLayers, 1, "moe_layer_interval");
        return Routed(fields, width, Layers(layers, layer => (layer + 1) % step == 0 && layer >= first && layer <= last)) with
        {
            SharedIntermediateSize = width * (fields.Optional(0, ModelFields.MostExperts, "moe_num_shared_experts") ?? 2),
            Correction = true,
        };
    }

    private static ExpertShape Routed(ModelFields fields, int width, ImmutableArray<bool> layers)
    {
        var count = fields.Number(
            ModelFields.MostExperts, null, "num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts");
        return new ExpertShape(count, width, layers)
        {
            PerToken = fields.Number(
                ModelFields.MostExperts, Math.Min(count, 2), "num_experts_per_tok", "num_experts_per_token", "moe_k"),
        };
    }

    private static ImmutableArray<bool> Layers(int layers, Func<int, bool> has) => [.. Enumerable.Range(0, layers).Select(has)];
}
