using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;
using Cluster.Worker.Models.Architectures;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>What transformers calls the tensors of a GGUF file, by the names that the architecture has: <c>blk.0.attn_q.weight</c> is
/// <c>model.layers.0.self_attn.q_proj.weight</c>. Used by <see cref="GgufWeights"/>.</summary>
internal sealed partial class GgufNames
{
    private readonly WeightNames _names;
    private readonly Dictionary<string, string> _outside;
    private readonly Dictionary<string, string> _inLayer;
    private readonly Dictionary<string, string> _ofExperts;

    public GgufNames(ModelConfig config)
    {
        _names = config.Architecture.WeightNames;
        _outside = new(StringComparer.Ordinal)
        {
            ["token_embd"] = WithoutKind(_names.Embedding),
            ["position_embd"] = WithoutKind(_names.PositionEmbedding),
            ["token_embd_norm"] = _names.EmbeddingNorm,
            ["output_norm"] = _names.FinalNorm,
            ["output"] = _names.Output,
        };
        _inLayer = new(StringComparer.Ordinal)
        {
            ["attn_norm"] = _names.AttentionNorm,
            ["attn_output"] = _names.AttentionOutput,
            ["attn_q_norm"] = _names.QueryNorm,
            ["attn_k_norm"] = _names.KeyNorm,
            ["post_attention_norm"] = _names.AttentionPostNorm,
            ["ffn_norm"] = _names.MlpNorm,
            ["post_ffw_norm"] = _names.MlpPostNorm,
            ["ffn_down"] = _names.Down,
            ["ffn_gate_inp"] = _names.Router,
        };
        Add(["attn_q", "attn_k", "attn_v"], _names.Qkv, "attn_qkv");
        if (config.GatedMlp)
        {
            Add(["ffn_gate", "ffn_up"], _names.GateUp, "ffn_up");
        }
        else
        {
            _inLayer["ffn_up"] = _names.Up;
        }

        _ofExperts = new(StringComparer.Ordinal)
        {
            ["ffn_gate_exps"] = _names.ExpertGateUp[0],
            ["ffn_up_exps"] = _names.ExpertGateUp[^1],
            ["ffn_down_exps"] = _names.ExpertDown,
        };
    }

    /// <summary>The name, or those of each expert's part of the tensor.</summary>
    /// <param name="experts">First dimension of a tensor of all experts.</param>
    /// <returns>Empty where the architecture has no such tensor.</returns>
    public ImmutableArray<string> Of(string name, int experts)
    {
        if (Layer().Match(name) is not { Success: true } parts)
        {
            return Kinds().Match(name) is { Success: true } whole && _outside.TryGetValue(whole.Groups["part"].Value, out var outside)
                ? [$"{outside}.{whole.Groups["kind"].Value}"]
                : [];
        }

        var (layer, part, kind) = (parts.Groups["number"].Value, parts.Groups["part"].Value, parts.Groups["kind"].Value);
        if (!int.TryParse(layer, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return [];
        }

        if (_ofExperts.TryGetValue(part, out var ofExpert))
        {
            return [
                .. Enumerable.Range(0, experts)
                    .Select(expert => $"{_names.InLayer(number, $"{_names.ExpertPrefix}{expert}.{ofExpert}")}.{kind}")];
        }

        return _inLayer.TryGetValue(part, out var inLayer) ? [$"{_names.InLayer(number, inLayer)}.{kind}"] : [];
    }

    /// <summary>Whether a tensor holds all experts.</summary>
    public static bool IsOfExperts(string name) => name.Contains("_exps.", StringComparison.Ordinal);

    /// <summary>Whether a tensor has the rows of query or key heads.</summary>
    public static bool IsRotated(string name) => Layer().Match(name).Groups["part"].Value is "attn_q" or "attn_k";

    private static string WithoutKind(string name) =>
        name.EndsWith(".weight", StringComparison.Ordinal) ? name[..^".weight".Length] : name;

    private void Add(ReadOnlySpan<string> separate, ImmutableArray<string> names, string fused)
    {
        if (names is [var one])
        {
            _inLayer[fused] = one;
            return;
        }

        for (var i = 0; i < separate.Length; i++)
        {
            _inLayer[separate[i]] = names[i];
        }
    }

    [GeneratedRegex(@"^blk\.(?<number>[0-9]+)\.(?<part>[a-z0-9_]+)\.(?<kind>weight|bias)\z")]
    private static partial Regex Layer();

    [GeneratedRegex(@"^(?<part>[a-z0-9_]+)\.(?<kind>weight|bias)\z")]
    private static partial Regex Kinds();
}
