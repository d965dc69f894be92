using System.Collections.Immutable;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Config;

/// <summary>Mixtures of experts in DeepSeek's spelling, which GLM-4 and dots1 share: groups, shared experts, dense first layers, a
/// correction for the choice. What a configuration class in transformers assumes for missing fields is given by the
/// architectures.</summary>
/// <remarks>HF modeling_deepseek_v2.py, modeling_deepseek_v3.py; Liu et al., arXiv 2412.19437.</remarks>
internal sealed record DeepseekExperts
{
    private const int MaxScale = 1 << 20;

    /// <summary>Of <c>scoring_func</c>.</summary>
    public string Scoring { get; init; } = "sigmoid";

    /// <summary>Of <c>topk_method</c>.</summary>
    public string Method { get; init; } = "noaux_tc";

    /// <summary>Of <c>norm_topk_prob</c>.</summary>
    public bool Normalize { get; init; } = true;

    /// <summary>Of <c>first_k_dense_replace</c>.</summary>
    public int FirstDense { get; init; }

    /// <exception cref="ModelConfigException">A field is missing or out of range, or names a rule that is not supported.</exception>
    public MoeConfig Read(ConfigObject json, int numLayers)
    {
        var (groupScore, hasGroups, correction) = (json.OptionalString("topk_method") ?? Method) switch
        {
            "greedy" => (GroupScore.Largest, false, RoutingCorrection.None),
            "group_limited_greedy" => (GroupScore.Largest, true, RoutingCorrection.None),
            "noaux_tc" => (GroupScore.SumOfTwo, true, RoutingCorrection.Vector),
            var name => throw json.Invalid("topk_method", $"is '{name}'; supported: greedy, group_limited_greedy, noaux_tc"),
        };
        var groups = (hasGroups ? json.OptionalInteger("n_group", 1, ExpertRouting.MaxGroups) : null) ?? 1;
        var routing = new ExpertRouting(ReadScoring(json, Scoring))
        {
            Normalize = json.Boolean("norm_topk_prob", Normalize),
            Groups = groups,
            GroupsChosen = (hasGroups ? json.OptionalInteger("topk_group", 1, groups) : null) ?? groups,
            GroupScore = groupScore,
            Scale = (float)(json.OptionalPositive("routed_scaling_factor", MaxScale) ?? 1),
        };
        var size = json.Integer("moe_intermediate_size", 1, ModelConfig.MaxFeatures);
        var shared = json.OptionalInteger("n_shared_experts", 0, ModelConfig.MaxFeatures / size) ?? 0;
        var moe = MoeConfig.Read(json, size, routing);
        RequireGroups(json, moe);
        return moe with
        {
            Correction = correction,
            SharedIntermediateSize = shared * size,
            DenseLayers = ReadDenseLayers(json, numLayers),
        };
    }

    /// <summary>Reads <c>scoring_func</c>, for which dots.llm1 writes the method that goes with sigmoids.</summary>
    /// <exception cref="ModelConfigException">It names a function that is not supported.</exception>
    public static ExpertScoring ReadScoring(ConfigObject json, string fallback) => (json.OptionalString("scoring_func") ?? fallback) switch
    {
        "softmax" => ExpertScoring.Softmax,
        "sigmoid" or "noaux_tc" => ExpertScoring.Sigmoid,
        var name => throw json.Invalid("scoring_func", $"is '{name}'; supported: softmax, sigmoid"),
    };

    private static void RequireGroups(ConfigObject json, MoeConfig moe)
    {
        var (groups, chosen) = (moe.Routing.Groups, moe.Routing.GroupsChosen);
        if (moe.NumExperts % groups != 0)
        {
            throw json.Invalid("n_group", $"is {groups}; it must divide {moe.NumExperts} experts");
        }

        if (moe.ExpertsPerToken > moe.NumExperts / groups * chosen)
        {
            throw json.Invalid(
                "topk_group",
                $"is {chosen}; {chosen} of {groups} groups have fewer than {moe.ExpertsPerToken} of {moe.NumExperts} experts");
        }
    }

    /// <summary><c>moe_layer_freq</c> is a number or has a switch for each layer.</summary>
    private ImmutableArray<int> ReadDenseLayers(ConfigObject json, int numLayers)
    {
        var first = json.OptionalInteger("first_k_dense_replace", 0, ModelConfig.MaxLayers) ?? FirstDense;
        var isList = json.IsList("moe_layer_freq");
        var sparse = isList ? json.Switches("moe_layer_freq", numLayers) : [];
        var step = isList ? 1 : json.OptionalInteger("moe_layer_freq", 1, ModelConfig.MaxLayers) ?? 1;
        return MoeConfig.Without(
            numLayers, layer => layer >= first && layer % step == 0 && (sparse.IsEmpty || sparse[layer]));
    }
}
