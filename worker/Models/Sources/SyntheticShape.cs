using System.Text.Json.Nodes;

namespace Cluster.Worker.Models.Sources;

/// <summary>The sizes of a published model. Part of <see cref="SyntheticModel"/>.</summary>
internal sealed record SyntheticShape(
    string Name, int Hidden, int Intermediate, int Layers, int Heads, int KvHeads, int Vocabulary, int Positions)
{
    /// <summary>Inputs that share a scale where codes come in groups; what 128 does not divide comes in <see cref="SmallGroup"/>.</summary>
    private const int Group = 128;

    private const int SmallGroup = 64;

    /// <summary>The output matrix is the embedding table.</summary>
    public bool IsTied { get; init; } = true;

    /// <summary>Llama 3's rotation: its context grows by this factor. Null for Llama 1's.</summary>
    public double? RopeFactor { get; init; }

    /// <summary>Experts of a layer, of which each token passes through two; 0 for a dense MLP.</summary>
    public int Experts { get; init; }

    public int HeadDim => Hidden / Heads;

    /// <summary>Inputs of a group, which all layers' inputs are multiples of.</summary>
    public int GroupSize => Hidden % Group == 0 && Intermediate % Group == 0 ? Group : SmallGroup;

    /// <summary>What config.json says, but for how weights are quantized. No token ends a sequence: outputs are as long as they are asked
    /// to be.</summary>
    public JsonObject ConfigJson()
    {
        var json = new JsonObject
        {
            ["architectures"] = new JsonArray(Experts > 0 ? "MixtralForCausalLM" : "LlamaForCausalLM"),
            ["model_type"] = Experts > 0 ? "mixtral" : "llama",
            ["torch_dtype"] = "bfloat16",
            ["vocab_size"] = Vocabulary,
            ["hidden_size"] = Hidden,
            ["intermediate_size"] = Intermediate,
            ["num_hidden_layers"] = Layers,
            ["num_attention_heads"] = Heads,
            ["num_key_value_heads"] = KvHeads,
            ["hidden_act"] = "silu",
            ["rms_norm_eps"] = 1e-5,
            ["max_position_embeddings"] = Positions,
            ["rope_theta"] = RopeFactor is null ? 10_000 : 500_000,
            ["tie_word_embeddings"] = IsTied,
            ["bos_token_id"] = null,
            ["eos_token_id"] = null,
        };
        if (RopeFactor is { } factor)
        {
            json["rope_scaling"] = new JsonObject
            {
                ["rope_type"] = "llama3",
                ["factor"] = factor,
                ["low_freq_factor"] = 1.0,
                ["high_freq_factor"] = 4.0,
                ["original_max_position_embeddings"] = 8192,
            };
        }

        if (Experts > 0)
        {
            json["num_local_experts"] = Experts;
            json["num_experts_per_tok"] = 2;
            json["sliding_window"] = null;
        }

        return json;
    }
}
