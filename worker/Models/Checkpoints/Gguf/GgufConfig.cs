using System.Text.Json.Nodes;
using Cluster.Worker.Compute;

namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>Writes what a config.json would say from the keys <c>ARCHITECTURE.*</c> of a GGUF file, so that one reader knows what fields
/// mean: the architecture's own. Notes which keys were asked for: one that nobody knows is refused. Used by
/// <see cref="GgufArchitecture"/>.</summary>
internal sealed class GgufConfig
{
    /// <summary>Keys that change no computation, or say once more what others do.</summary>
    private static readonly string[] Ignored =
    [
        "vocab_size", "tensor_data_layout", "rope.scaling.finetuned", "attention.causal",
        "attention.key_length_swa", "attention.value_length_swa",
    ];

    private readonly GgufModel _model;
    private readonly HashSet<string> _known;

    public GgufConfig(GgufModel model, string hubName)
    {
        _model = model;
        Prefix = model.ArchitectureName + ".";
        _known = [.. Ignored.Select(key => Prefix + key)];
        Json = new JsonObject { ["architectures"] = new JsonArray(hubName), ["model_type"] = model.ArchitectureName };
    }

    public JsonObject Json { get; }

    /// <summary>What the architecture's keys begin with.</summary>
    public string Prefix { get; }

    public int HeadDim => (int)(Integer("attention.key_length") ?? (Required("embedding_length") / Required("attention.head_count")));

    public bool HasTensor(string name) => _model.FindTensor(name) is not null;

    public double[]? Factors(string tensor) => _model.Floats(tensor);

    /// <exception cref="CheckpointFormatException">It is no whole number, or differs among layers.</exception>
    public long? Integer(string key)
    {
        var integers = _model.Metadata.Integers(Known(key));
        return integers is null ? null
            : integers.Distinct().Count() == 1 ? integers[0]
            : throw _model.Metadata.Wrong(Prefix + key, "a whole number, the same for all layers");
    }

    public long[]? Integers(string key) => _model.Metadata.Integers(Known(key));

    /// <summary>One that must be there and above 0.</summary>
    public long Required(string key) =>
        Integer(key) is > 0 and var value ? value : throw _model.Metadata.Wrong(Prefix + key, "a whole number above 0");

    public double? Number(string key) => _model.Metadata.Number(Known(key));

    public bool? Boolean(string key) => _model.Metadata.Boolean(Known(key));

    public string? Text(string key) => _model.Metadata.Text(Known(key));

    /// <summary>A field of config.json from a key that is a whole number; none where there is no such key.</summary>
    public void CopyInteger(string field, string key)
    {
        if (Integer(key) is { } value)
        {
            Json[field] = value;
        }
    }

    public void CopyNumber(string field, string key)
    {
        if (Number(key) is { } value)
        {
            Json[field] = value;
        }
    }

    /// <summary>Refuses a key that has another value than the one that is supported.</summary>
    public void Require(string key, long value)
    {
        if (Integer(key) is { } found && found != value)
        {
            throw _model.Metadata.Wrong(Prefix + key, $"{value}, not {found}");
        }
    }

    /// <summary>Fields that all architectures have.</summary>
    public void WriteCommonFields()
    {
        var headDim = HeadDim;
        Require("attention.value_length", headDim);
        CopyInteger("hidden_size", "embedding_length");
        CopyInteger("num_hidden_layers", "block_count");
        CopyInteger("intermediate_size", "feed_forward_length");
        CopyInteger("num_attention_heads", "attention.head_count");
        CopyInteger("num_key_value_heads", "attention.head_count_kv");
        CopyInteger("max_position_embeddings", "context_length");
        CopyNumber("rms_norm_eps", "attention.layer_norm_rms_epsilon");
        CopyNumber("rms_norm_eps", "attention.layer_norm_epsilon");
        Json["head_dim"] = headDim;
        Json["vocab_size"] = _model.VocabSize;
        Json["tie_word_embeddings"] = !HasTensor("output.weight");
        Json["torch_dtype"] = _model.WeightDType.Name();
        Json["eos_token_id"] = new JsonArray([.. _model.EndTokenIds.Select(id => (JsonNode)id)]);
        Json["quantization_config"] = new JsonObject
        {
            [QuantizationMethods.MethodField] = QuantizationMethods.Gguf,
            ["types"] = new JsonArray([.. _model.TypeSizes().Select(size => (JsonNode)size)]),
        };
    }

    /// <summary>Rotary positions, scaled where the file says so.</summary>
    public void WriteRope()
    {
        Json["rope_theta"] = Number("rope.freq_base") ?? 10_000;
        var headDim = HeadDim;
        if (Integer("rope.dimension_count") is { } rotated && rotated != headDim)
        {
            // The reader multiplies by the head's length and cuts off: half a dimension more keeps rounding from taking one away.
            Json["partial_rotary_factor"] = rotated > 0 && rotated < headDim
                ? (rotated + 0.5) / headDim
                : throw _model.Metadata.Wrong(Prefix + "rope.dimension_count", $"1 to {headDim}, not {rotated}");
        }

        var factor = Number("rope.scaling.factor") ?? Number("rope.scale_linear") ?? 0;
        switch (Text("rope.scaling.type") ?? (factor > 0 ? "linear" : "none"))
        {
            case "none":
                break;
            case "linear":
                Json["rope_scaling"] = new JsonObject { ["rope_type"] = "linear", ["factor"] = factor };
                break;
            case "yarn" when factor > 0:
                WriteYarn(factor);
                break;
            case "longrope":
                break;
            case var type:
                throw _model.Metadata.Wrong(
                    Prefix + "rope.scaling.type", $"none, linear, yarn with a factor above 0 or longrope, not '{type}' by {factor}");
        }
    }

    /// <exception cref="CheckpointFormatException">The file has keys of the architecture that nobody asked for.</exception>
    public void RefuseUnknown()
    {
        var unknown = _model.Metadata.Keys.Where(key => key.StartsWith(Prefix, StringComparison.Ordinal) && !_known.Contains(key))
            .Order(StringComparer.Ordinal).ToArray();
        if (unknown.Length > 0)
        {
            throw new CheckpointFormatException(
                _model.Path, $"has keys that {_model.ArchitectureName} is not known to have: {string.Join(", ", unknown)}");
        }
    }

    private void WriteYarn(double factor)
    {
        var scaling = new JsonObject { ["rope_type"] = "yarn", ["factor"] = factor };
        if (Integer("rope.scaling.original_context_length") is { } original)
        {
            scaling["original_max_position_embeddings"] = original;
        }

        foreach (var (field, key) in new[] { ("beta_fast", "rope.scaling.yarn_beta_fast"), ("beta_slow", "rope.scaling.yarn_beta_slow") })
        {
            if (Number(key) is { } beta)
            {
                scaling[field] = beta;
            }
        }

        // Multiplies what follows from the factor.
        if (Number("rope.scaling.attn_factor") is { } attention && attention != 1)
        {
            scaling["attention_factor"] = attention * ((0.1 * Math.Log(factor)) + 1);
        }

        if (Number("rope.scaling.yarn_ext_factor") is { } mix && mix != 1)
        {
            throw _model.Metadata.Wrong(Prefix + "rope.scaling.yarn_ext_factor", $"1, not {mix}");
        }

        Json["rope_scaling"] = scaling;
    }

    private string Known(string key)
    {
        _known.Add(Prefix + key);
        return Prefix + key;
    }
}
