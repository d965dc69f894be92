using Cluster.Worker.Compute;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Layers;

/// <summary>Every intermediate result of a forward pass, allocated once for the largest step; a step works on the first rows of each.
/// Fixed addresses are what lets a device replay a captured decode step. Owned by <see cref="Transformer"/>.</summary>
internal sealed record Activations
{
    private Activations()
    {
    }

    /// <summary><c>[tokens, hidden]</c> the sum that runs through all layers.</summary>
    public required Tensor Residual { get; init; }

    /// <summary><c>[tokens, hidden]</c> input of a layer's attention or MLP.</summary>
    public required Tensor Normed { get; init; }

    /// <summary><c>[tokens, hidden]</c> output of a layer's attention or MLP, not yet added to <see cref="Residual"/>.</summary>
    public required Tensor Delta { get; init; }

    /// <summary><c>[tokens, (heads + 2·kvHeads)·headDim]</c>; only queries where attention is latent.</summary>
    public required Tensor Qkv { get; init; }

    /// <summary><c>[tokens, 2]</c> sums of squares of all query and of all key heads; null where they are not normalized
    /// together.</summary>
    public required Tensor? HeadSquares { get; init; }

    /// <summary><c>[tokens, heads·valueDim]</c>.</summary>
    public required Tensor Attention { get; init; }

    /// <summary>Null where no attention is latent.</summary>
    public required LatentActivations? Latent { get; init; }

    /// <summary><c>[tokens, 2·intermediate]</c>; one column where no MLP has a gate, or all have experts.</summary>
    public required Tensor GateUp { get; init; }

    /// <summary><c>[tokens, intermediate]</c>; one column where all MLPs have experts.</summary>
    public required Tensor Activated { get; init; }

    /// <summary><c>[logits, hidden]</c> rows that need logits.</summary>
    public required Tensor Selected { get; init; }

    /// <summary><c>[logits, vocabulary]</c>; of several ranks <see cref="VocabularyShards.GatheredWidth"/>.</summary>
    public required Tensor Logits { get; init; }

    /// <summary><c>[logits, <see cref="VocabularyShards.Width"/>]</c> logits of this rank; null where it is the only one.</summary>
    public required Tensor? LogitsPart { get; init; }

    /// <summary>Null where no layer has experts.</summary>
    public required ExpertActivations? Experts { get; init; }

    public static Activations Allocate(Backend backend, Shard shard, int maxTokens, int maxLogits)
    {
        var config = shard.Config;
        Tensor Floats(string name, int rows, int columns) => backend.Allocate(name, DType.F32, rows, columns);
        return new Activations
        {
            Residual = Floats("residual", maxTokens, config.HiddenSize),
            Normed = Floats("normed", maxTokens, config.HiddenSize),
            Delta = Floats("delta", maxTokens, config.HiddenSize),
            Qkv = Floats("qkv", maxTokens, config.QkvSize),
            HeadSquares = HeadSquareColumns(config) is var columns and > 0 ? Floats("head_squares", maxTokens, columns) : null,
            Attention = Floats("attention", maxTokens, config.AttentionSize),
            Latent = config.Latent is { } latent ? LatentActivations.Allocate(backend, config.NumHeads, latent, maxTokens) : null,
            GateUp = Floats("gate_up", maxTokens, GateUpColumns(config)),
            Activated = Floats("activated", maxTokens, ActivatedColumns(config)),
            Selected = Floats("selected", maxLogits, config.HiddenSize),
            Logits = Floats("logits", maxLogits, shard.Vocabulary.GatheredWidth),
            LogitsPart = shard.IsWhole ? null : Floats("logits_part", maxLogits, shard.Vocabulary.Width),
            Experts = config.Moe is { } moe ? ExpertActivations.Allocate(backend, config, moe, maxTokens) : null,
        };
    }

    /// <summary>Bytes that <see cref="Allocate"/> takes.</summary>
    public static long Bytes(Shard shard, int maxTokens, int maxLogits)
    {
        var config = shard.Config;
        var columns = (3L * config.HiddenSize) + config.QkvSize + HeadSquareColumns(config) + config.AttentionSize
            + GateUpColumns(config) + ActivatedColumns(config);
        var logitColumns = (long)config.HiddenSize + shard.Vocabulary.GatheredWidth + (shard.IsWhole ? 0 : shard.Vocabulary.Width);
        var experts = config.Moe is { } moe ? maxTokens * ExpertActivations.BytesPerToken(config, moe) : 0;
        var latents = config.Latent is { } latent ? maxTokens * LatentActivations.BytesPerToken(config.NumHeads, latent) : 0;
        return experts + latents + sizeof(float) * ((maxTokens * columns) + (maxLogits * logitColumns));
    }

    private static int HeadSquareColumns(ModelConfig config) => config.QueryKeyNorm == QueryKeyNorm.AllHeads ? 2 : 0;

    private static int GateUpColumns(ModelConfig config) =>
        config is { GatedMlp: true, HasDenseLayers: true } ? 2 * config.IntermediateSize : 1;

    private static int ActivatedColumns(ModelConfig config) => config.HasDenseLayers ? config.IntermediateSize : 1;
}
