namespace Cluster.Worker.Models.Config;

/// <summary>Temperature of attention by the query's position: queries are multiplied by <c>1 + beta · ln(1 + floor((position + offset) /
/// length))</c>. HF modeling_llama4.py (<c>attn_scale</c>, <c>floor_scale</c>, offset 1) and modeling_ministral3.py
/// (<c>llama_4_scaling_beta</c>, <c>original_max_position_embeddings</c>, offset 0). Part of <see cref="ModelConfig"/>.</summary>
internal sealed record QueryScale(double Beta, double Length, int Offset)
{
    /// <summary>Only layers without rotation have it (Llama 4).</summary>
    public bool UnrotatedOnly { get; init; }

    public float At(int position) => (float)(1 + (Beta * Math.Log(1 + Math.Floor((position + Offset) / Length))));
}
