using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Tests.Compute;

namespace Cluster.Worker.Tests.Models.Gguf;

/// <summary>Writes a checkpoint folder as a GGUF file, as llama.cpp's converter does: other names, keys for config.json, rows of Llama's
/// query and key heads in turns. Knows nothing of the reader under test.</summary>
internal sealed partial class GgufExport
{
    private static readonly Dictionary<string, string> Architectures = new()
    {
        ["LlamaForCausalLM"] = "llama",
        ["MistralForCausalLM"] = "llama",
        ["MixtralForCausalLM"] = "llama",
        ["Qwen2ForCausalLM"] = "qwen2",
        ["Qwen3ForCausalLM"] = "qwen3",
        ["Qwen3MoeForCausalLM"] = "qwen3moe",
        ["GemmaForCausalLM"] = "gemma",
        ["Gemma2ForCausalLM"] = "gemma2",
        ["Gemma3ForCausalLM"] = "gemma3",
        ["Phi3ForCausalLM"] = "phi3",
        ["GraniteForCausalLM"] = "granite",
        ["Olmo2ForCausalLM"] = "olmo2",
        ["SmolLM3ForCausalLM"] = "smollm3",
        ["ArceeForCausalLM"] = "arcee",
        ["Starcoder2ForCausalLM"] = "starcoder2",
        ["StableLmForCausalLM"] = "stablelm",
        ["CohereForCausalLM"] = "command-r",
        ["GPT2LMHeadModel"] = "gpt2",
    };

    private readonly JsonObject _config;
    private readonly WeightSource _weights;
    private readonly string? _tokenizerFolder;
    private readonly string _architecture;
    private readonly List<HostTensor> _decoded = [];

    /// <param name="tokenizerFolder">Has tokenizer.json; null for a file without one.</param>
    public GgufExport(string folder, string? tokenizerFolder = null)
        : this(JsonNode.Parse(File.ReadAllBytes(Path.Combine(folder, "config.json")))!.AsObject(), Checkpoint.Open(folder), tokenizerFolder)
    {
    }

    public GgufExport(JsonObject config, WeightSource weights, string? tokenizerFolder = null)
    {
        _config = config;
        _weights = weights;
        _tokenizerFolder = tokenizerFolder;
        _architecture = Architectures[config["architectures"]![0]!.GetValue<string>()];
    }

    /// <summary>The weights as they were last written and rounded, under transformers' names, in F32.</summary>
    public WeightSource Decoded => new Quantization.MemoryWeights([.. _decoded]);

    /// <param name="typeOf">Type of a matrix, by its name in transformers and its row length; vectors are F32.</param>
    public GgufWriter Write(Func<string, int, string> typeOf)
    {
        GgufWriter writer = new();
        _decoded.Clear();
        WriteConfig(writer);
        if (_tokenizerFolder is not null)
        {
            GgufTokenizerExport.Write(writer, _tokenizerFolder);
        }

        foreach (var group in _weights.Names.Order(StringComparer.Ordinal).GroupBy(NameOf))
        {
            // Tensors of all experts are one in the file.
            var members = group.OrderBy(ExpertOf).ToArray();
            var parts = members.Select(name => EncodedPart(name, typeOf)).ToArray();
            long[] shape = [.. _weights.Find(members[0])!.Shape.Select(length => (long)length)];
            shape = IsTransposed(members[0]) ? [shape[1], shape[0]] : shape;
            writer.AddTensor(
                group.Key, GgufBlocks.Number(parts[0].Type), [.. parts.SelectMany(part => part.Bytes)],
                ExpertOf(members[0]) >= 0 ? [members.Length, .. shape] : shape);
        }

        return writer;
    }

    /// <summary>One type for all matrices that it fits, else F16.</summary>
    public GgufWriter Write(string type) => Write((name, columns) =>
        name.Contains("mlp.gate.", StringComparison.Ordinal) || name.Contains("block_sparse_moe.gate.", StringComparison.Ordinal) ? "F32"
        : columns % GgufBlocks.BlockSize(type) == 0 ? type : "F16");

    private (string Type, byte[] Bytes) EncodedPart(string name, Func<string, int, string> typeOf)
    {
        var tensor = _weights.Find(name)!;
        var type = tensor.Shape.Length < 2 ? "F32" : typeOf(name, tensor.RowLength);
        var values = WeightReader.ReadAll(tensor);
        var isGemmaNorm = IsGemma && name.EndsWith("norm.weight", StringComparison.Ordinal);
        if (isGemmaNorm)
        {
            values = Array.ConvertAll(values, value => value + 1);
        }

        if (_architecture == "gemma3" && name.EndsWith("q_norm.weight", StringComparison.Ordinal))
        {
            values = Array.ConvertAll(values, value => value * QueryFactor);
        }

        values = IsTransposed(name) ? Transposed(values, tensor.Rows) : values;
        var (bytes, decoded) = GgufBlocks.Encode(type, values);
        _decoded.Add(HostTensors.Of(
            name, DType.F32, isGemmaNorm ? Array.ConvertAll(decoded, value => value - 1) : decoded, [.. tensor.Shape]));
        return (type, IsInTurns && RotatedName().IsMatch(name) ? InTurns(bytes, tensor.Rows) : bytes);
    }

    private bool IsGemma => _architecture.StartsWith("gemma", StringComparison.Ordinal);

    private bool IsInTurns => _architecture is "llama" or "granite" or "smollm3" or "arcee";

    /// <summary>A file does not say by what queries are scaled; where it is not what follows from the head's length, queries
    /// grow.</summary>
    private float QueryFactor => MathF.Sqrt(HeadDim / (float)(Number("query_pre_attn_scalar") ?? HeadDim));

    private bool IsTransposed(string name) =>
        _architecture == "gpt2" && name.Contains(".c_", StringComparison.Ordinal) && name.EndsWith("weight", StringComparison.Ordinal);

    private static float[] Transposed(float[] values, int rows)
    {
        var columns = values.Length / rows;
        return [.. Enumerable.Range(0, values.Length).Select(i => values[(i % rows * columns) + (i / rows)])];
    }

    /// <summary>Rows of a head: x0 x1 … y0 y1 … become x0 y0 x1 y1 ….</summary>
    private byte[] InTurns(byte[] bytes, int rows)
    {
        var headDim = HeadDim;
        var rowBytes = bytes.Length / rows;
        var result = new byte[bytes.Length];
        for (var row = 0; row < rows; row++)
        {
            var (half, place) = Math.DivRem(row % headDim, headDim / 2);
            var target = row - (row % headDim) + (2 * place) + half;
            bytes.AsSpan(row * rowBytes, rowBytes).CopyTo(result.AsSpan(target * rowBytes));
        }

        return result;
    }

    private int HeadDim => Integer("head_dim") ?? (Integer("hidden_size")!.Value / Integer("num_attention_heads")!.Value);

    private void WriteConfig(GgufWriter writer)
    {
        foreach (var (field, alias) in new[]
        {
            ("hidden_size", "n_embd"), ("num_hidden_layers", "n_layer"), ("num_attention_heads", "n_head"),
            ("max_position_embeddings", "n_positions"),
        })
        {
            _config[field] ??= _config[alias]?.DeepClone();
        }

        _config["intermediate_size"] ??= 4 * Integer("hidden_size");
        writer.Add("general.architecture", _architecture).Add("general.name", "test");
        AddInteger("embedding_length", "hidden_size");
        AddInteger("block_count", "num_hidden_layers");
        AddInteger("feed_forward_length", "intermediate_size");
        AddInteger("attention.head_count", "num_attention_heads");
        AddInteger("attention.head_count_kv", "num_key_value_heads");
        AddInteger("context_length", "max_position_embeddings");
        AddInteger("expert_count", _config.ContainsKey("num_experts") ? "num_experts" : "num_local_experts");
        AddInteger("expert_used_count", "num_experts_per_tok");
        AddInteger("expert_feed_forward_length", "moe_intermediate_size");
        writer.Add(Key("attention.key_length"), (uint)HeadDim).Add(Key("attention.value_length"), (uint)HeadDim);
        writer.Add(Key("vocab_size"), (uint)Integer("vocab_size")!);
        writer.Add(
            Key("rope.dimension_count"),
            (uint)(HeadDim * (Number("partial_rotary_factor") ?? (_architecture == "stablelm" ? 0.25 : 1))));
        writer.Add(Key("rope.freq_base"), (float)(Number("rope_theta") ?? Rope("rope_theta") ?? 10_000));
        foreach (var field in new[] { "layer_norm_eps", "norm_epsilon", "layer_norm_epsilon" })
        {
            AddNumber("attention.layer_norm_epsilon", field);
        }

        AddNumber("attention.layer_norm_rms_epsilon", "rms_norm_eps");
        AddInteger("attention.sliding_window", _architecture.StartsWith("qwen", StringComparison.Ordinal) ? "none" : "sliding_window");
        AddInteger("attention.sliding_window_pattern", "sliding_window_pattern");
        AddNumber("attn_logit_softcapping", "attn_logit_softcapping");
        AddNumber("final_logit_softcapping", "final_logit_softcapping");
        AddNumber("embedding_scale", "embedding_multiplier");
        AddNumber("attention.scale", "attention_multiplier");
        AddNumber("residual_scale", "residual_multiplier");
        AddNumber("logit_scale", _architecture == "granite" ? "logits_scaling" : "logit_scale");
        if (_config["use_parallel_residual"] is JsonValue parallel)
        {
            writer.Add(Key("use_parallel_residual"), parallel.GetValue<bool>());
        }

        WriteScaling(writer);

        void AddInteger(string key, string field)
        {
            if (Integer(field) is { } value)
            {
                writer.Add(Key(key), (uint)value);
            }
        }

        void AddNumber(string key, string field)
        {
            if (Number(field) is { } value)
            {
                writer.Add(Key(key), (float)value);
            }
        }
    }

    private void WriteScaling(GgufWriter writer)
    {
        switch (RopeType())
        {
            case "llama3":
                AddFactors("rope_freqs", RopeFactors());
                break;
            case "linear":
                writer.Add(Key("rope.scaling.type"), "linear").Add(Key("rope.scaling.factor"), (float)Rope("factor")!);
                break;
            case "longrope":
                var original = Integer("original_max_position_embeddings")!.Value;
                var growth = (double)Integer("max_position_embeddings")!.Value / original;
                writer.Add(Key("rope.scaling.original_context_length"), (uint)original);
                writer.Add(Key("rope.scaling.attn_factor"), (float)Math.Sqrt(1 + (Math.Log(growth) / Math.Log(original))));
                AddFactors("rope_factors_long", Floats("long_factor"));
                AddFactors("rope_factors_short", Floats("short_factor"));
                break;
            default:
                break;
        }

        void AddFactors(string name, float[] factors) =>
            writer.AddTensor(name + ".weight", 0, GgufBlocks.Encode("F32", factors).Bytes, factors.Length);

        float[] Floats(string field) => [.. _config["rope_scaling"]![field]!.AsArray().Select(value => value!.GetValue<float>())];
    }

    /// <summary>How much longer each wave becomes by Llama 3's rule.</summary>
    private float[] RopeFactors()
    {
        var (factor, low, high) = (Rope("factor")!.Value, Rope("low_freq_factor")!.Value, Rope("high_freq_factor")!.Value);
        var original = Rope("original_max_position_embeddings")!.Value;
        var theta = Number("rope_theta") ?? Rope("rope_theta")!.Value;
        return [
            .. Enumerable.Range(0, HeadDim / 2).Select(i =>
            {
                var length = 2 * Math.PI * Math.Pow(theta, 2.0 * i / HeadDim);
                var smooth = ((original / length) - low) / (high - low);
                return (float)(length < original / high ? 1 : length > original / low ? factor : 1 / (((1 - smooth) / factor) + smooth));
            })];
    }

    private string Key(string key) => $"{_architecture}.{key}";

    private int? Integer(string field) => _config[field] is JsonValue value ? value.GetValue<int>() : null;

    private double? Number(string field) => _config[field] is JsonValue value ? value.GetValue<double>() : null;

    private double? Rope(string field) => (_config["rope_parameters"] ?? _config["rope_scaling"])?[field]?.GetValue<double>();

    private string? RopeType()
    {
        var rope = _config["rope_parameters"] ?? _config["rope_scaling"];
        return (rope?["rope_type"] ?? rope?["type"])?.GetValue<string>();
    }

    private static int ExpertOf(string name) =>
        Expert().Match(name) is { Success: true } expert ? int.Parse(expert.Groups["number"].ValueSpan, CultureInfo.InvariantCulture) : -1;

    private string NameOf(string name)
    {
        if (Layer().Match(name) is not { Success: true } layer)
        {
            return name switch
            {
                "model.embed_tokens.weight" => "token_embd.weight",
                "model.norm.weight" => "output_norm.weight",
                "model.norm.bias" => "output_norm.bias",
                "transformer.wte.weight" => "token_embd.weight",
                "transformer.wpe.weight" => "position_embd.weight",
                "transformer.ln_f.weight" => "output_norm.weight",
                "transformer.ln_f.bias" => "output_norm.bias",
                "lm_head.weight" => "output.weight",
                _ => throw new NotSupportedException(name),
            };
        }

        var part = Expert().Replace(layer.Groups["part"].Value, "experts.");
        return $"blk.{layer.Groups["number"].Value}.{PartOf(part)}.{layer.Groups["kind"].Value}";
    }

    private string PartOf(string part) => part switch
    {
        "input_layernorm" => "attn_norm",
        "post_attention_layernorm" => _architecture is "gemma2" or "gemma3" or "olmo2" ? "post_attention_norm" : "ffn_norm",
        "pre_feedforward_layernorm" => "ffn_norm",
        "post_feedforward_layernorm" => "post_ffw_norm",
        "self_attn.q_proj" => "attn_q",
        "self_attn.k_proj" => "attn_k",
        "self_attn.v_proj" => "attn_v",
        "self_attn.o_proj" => "attn_output",
        "ln_1" => "attn_norm",
        "ln_2" => "ffn_norm",
        "attn.c_attn" or "self_attn.qkv_proj" => "attn_qkv",
        "attn.c_proj" => "attn_output",
        "mlp.c_fc" or "mlp.gate_up_proj" => "ffn_up",
        "mlp.c_proj" => "ffn_down",
        "self_attn.q_norm" => "attn_q_norm",
        "self_attn.k_norm" => "attn_k_norm",
        "mlp.gate_proj" => "ffn_gate",
        "mlp.up_proj" => "ffn_up",
        "mlp.down_proj" => "ffn_down",
        "mlp.gate" or "block_sparse_moe.gate" => "ffn_gate_inp",
        "mlp.experts.gate_proj" or "block_sparse_moe.experts.w1" => "ffn_gate_exps",
        "mlp.experts.up_proj" or "block_sparse_moe.experts.w3" => "ffn_up_exps",
        "mlp.experts.down_proj" or "block_sparse_moe.experts.w2" => "ffn_down_exps",
        _ => throw new NotSupportedException(part),
    };

    [GeneratedRegex(@"^(model\.layers|transformer\.h)\.(?<number>[0-9]+)\.(?<part>.+)\.(?<kind>weight|bias)\z")]
    private static partial Regex Layer();

    [GeneratedRegex(@"experts\.(?<number>[0-9]+)\.")]
    private static partial Regex Expert();

    [GeneratedRegex(@"self_attn\.[qk]_proj\.")]
    private static partial Regex RotatedName();
}
