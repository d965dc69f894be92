using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Checkpoints;

/// <summary>A checkpoint in the form of Meta and Mistral (<c>consolidated.safetensors</c>) under the names of transformers. Rotated pairs
/// are neighbours in it and half a head apart in transformers, so rows of query and key projections change places:
/// <code>
/// row of a head   consolidated   x0 y0 x1 y1 …      transformers   x0 x1 … y0 y1 …
/// </code></summary>
internal sealed partial class ConsolidatedWeights : WeightSource
{
    private static readonly Dictionary<string, string> Spellings = new(StringComparer.Ordinal)
    {
        ["tok_embeddings.weight"] = "model.embed_tokens.weight",
        ["norm.weight"] = "model.norm.weight",
        ["output.weight"] = "lm_head.weight",
        ["attention_norm"] = "input_layernorm",
        ["ffn_norm"] = "post_attention_layernorm",
        ["attention.wq"] = "self_attn.q_proj",
        ["attention.wk"] = "self_attn.k_proj",
        ["attention.wv"] = "self_attn.v_proj",
        ["attention.wo"] = "self_attn.o_proj",
        ["feed_forward.w1"] = "mlp.gate_proj",
        ["feed_forward.w2"] = "mlp.down_proj",
        ["feed_forward.w3"] = "mlp.up_proj",
    };

    private readonly WeightSource _original;
    private readonly int _headDim;
    private readonly Dictionary<string, string> _originals;

    private ConsolidatedWeights(WeightSource original, int headDim)
    {
        _original = original;
        _headDim = headDim;
        _originals = original.Names.Where(name => name != "rope.freqs").ToDictionary(NameOf, StringComparer.Ordinal);
    }

    public override string Location => _original.Location;

    public override IReadOnlyCollection<string> Names => _originals.Keys;

    public override long TotalBytes => _original.TotalBytes;

    /// <summary>The same weights, under transformers' names where they have others.</summary>
    public static WeightSource Of(WeightSource weights, ModelConfig config) =>
        weights.Find("tok_embeddings.weight") is null ? weights : new ConsolidatedWeights(weights, config.HeadDim);

    public override string FileOf(string name) => _original.FileOf(_originals.GetValueOrDefault(name, name));

    public override HostTensor? Find(string name)
    {
        if (!_originals.TryGetValue(name, out var original) || _original.Find(original) is not { } tensor)
        {
            return null;
        }

        var isRotated = Layer().Match(original).Groups["part"].Value is "attention.wq" or "attention.wk";
        return isRotated && tensor.Rows % _headDim == 0 ? Reordered(name, tensor) : tensor;
    }

    public override void Forget() => _original.Forget();

    private static string NameOf(string original) =>
        Layer().Match(original) is { Success: true } layer && Spellings.TryGetValue(layer.Groups["part"].Value, out var part)
            ? $"model.layers.{layer.Groups["number"]}.{part}.{layer.Groups["kind"]}"
            : Spellings.GetValueOrDefault(original, original);

    private HostTensor Reordered(string name, HostTensor tensor)
    {
        var rowBytes = tensor.RowLength * tensor.DType.Size();
        var memory = GC.AllocateUninitializedArray<byte>(checked(tensor.Rows * rowBytes), pinned: true);
        for (var row = 0; row < tensor.Rows; row++)
        {
            var (half, place) = Math.DivRem(row % _headDim, _headDim / 2);
            var source = row - (row % _headDim) + (2 * place) + half;
            tensor.Row(source).CopyTo(memory.AsSpan(row * rowBytes));
        }

        GC.KeepAlive(tensor);
        return new HostTensor(name, tensor.DType, tensor.Shape, Marshal.UnsafeAddrOfPinnedArrayElement(memory, 0), memory);
    }

    [GeneratedRegex(@"^layers\.(?<number>[0-9]+)\.(?<part>.+)\.(?<kind>weight|bias)\z")]
    private static partial Regex Layer();
}
