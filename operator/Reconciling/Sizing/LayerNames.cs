namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>What a family calls the parts of a layer.</summary>
internal sealed record LayerNames
{
    public string Mlp { get; init; } = "mlp";

    public string Experts { get; init; } = "mlp.experts";

    public string Shared { get; init; } = "mlp.shared_experts";

    public string Gate { get; init; } = "gate_proj";

    public string Up { get; init; } = "up_proj";

    public string Down { get; init; } = "down_proj";
}
