using System.Text.Json.Nodes;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Verification;
using Cluster.Worker.Tests.Compute;
using Cluster.Worker.Tests.Models.Quantization;

namespace Cluster.Worker.Tests.Models.Checkpoints;

/// <summary>Checkpoints as quantizers, old tools and other frameworks leave them. Each gives the bits of the plain form.</summary>
public sealed class OddCheckpointTests : IDisposable
{
    private const string Layer = "model.layers.2.mlp.up_proj";

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> SingleFiles =>
    [
        "gptq_model-4bit-128g.safetensors", "pytorch_model.safetensors", "weights.safetensors", "consolidated.safetensors",
    ];

    public static TheoryData<string, string> Shards => new()
    {
        { "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors" },
        { "pytorch_model-00001-of-00002.safetensors", "pytorch_model-00002-of-00002.safetensors" },
        { "a.safetensors", "b.safetensors" },
        { "consolidated-00001-of-00002.safetensors", "consolidated-00002-of-00002.safetensors" },
    };

    public static TheoryData<string> RotaryTables =>
    [
        "model.layers.0.self_attn.rotary_emb.inv_freq", "model.layers.3.self_attn.rotary_emb.cos_cached",
        "model.layers.3.self_attn.rotary_emb.sin_cached", "model.rotary_emb.inv_freq", "rotary_emb.inv_freq",
    ];

    /// <summary>Fixture, the file that has its settings instead of config.json, and what stands in it.</summary>
    public static TheoryData<string, string, string> SideFiles => new()
    {
        { "gptq", "quantize_config.json", """{"bits": 4, "group_size": 32, "damp_percent": 0.01, "desc_act": false, "sym": true}""" },
        { "gptq", "quantize_config.json", """{"bits": 4, "group_size": 32, "desc_act": false, "quant_method": "gptq", "dynamic": {}}""" },
        {
            "gptq-act-order", "quantize_config.json", """{"bits": 4, "group_size": 32, "desc_act": true, "model_file_base_name": "model"}"""
        },
        { "awq", "quant_config.json", """{"zero_point": true, "q_group_size": 32, "w_bit": 4, "version": "GEMM"}""" },
        { "awq", "quantize_config.json", """{"zero_point": true, "q_group_size": 32, "w_bit": 4, "version": "GEMM"}""" },
        { "squeezellm", "quant_config.json", """{"wbits": 4}""" },
    };

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(SingleFiles))]
    public void Weights_may_be_called_otherwise(string file)
    {
        Copy("gptq", file);
        AssertSameBits("gptq");
    }

    [Theory, MemberData(nameof(Shards))]
    public void Shards_need_no_index(string first, string second)
    {
        Copy("awq", weights: null);
        var tensors = SafetensorsWriter.All(Original("awq")).ToList();
        SafetensorsWriter.Write(Path.Combine(_folder.Path, first), tensors.Take(tensors.Count / 2));
        SafetensorsWriter.Write(Path.Combine(_folder.Path, second), tensors.Skip(tensors.Count / 2));
        AssertSameBits("awq");
    }

    [Fact]
    public void An_index_may_be_called_otherwise()
    {
        Copy("gptq", "gptq_model-00001-of-00001.safetensors");
        JsonObject map = [];
        foreach (var name in Original("gptq").Names)
        {
            map[name] = "gptq_model-00001-of-00001.safetensors";
        }

        _folder.Write("gptq_model.safetensors.index.json", new JsonObject { ["weight_map"] = map }.ToJsonString());
        AssertSameBits("gptq");
    }

    [Fact]
    public void Consolidated_weights_beside_others_do_not_count()
    {
        Copy("gptq", "gptq_model-4bit.safetensors");
        _folder.Write("consolidated.safetensors", "not even safetensors");
        _folder.Write("adapter_model.safetensors", "neither");
        AssertSameBits("gptq");
    }

    [Fact]
    public void Consolidated_weights_by_Metas_names_are_the_same_model()
    {
        var plain = Fixtures.Checkpoint("llama2");
        _folder.Write("config.json", File.ReadAllText(Path.Combine(plain, "config.json")));
        var headDim = ModelConfig.Load(plain).HeadDim;
        SafetensorsWriter.Write(
            Path.Combine(_folder.Path, "consolidated.safetensors"),
            SafetensorsWriter.All(Checkpoint.Open(plain)).Select(entry => (MetaName(entry.Name), IsRotated(entry.Name)
                ? Interleaved(entry.Tensor, headDim)
                : entry.Tensor)));

        Assert.Equal(Logits(plain), Logits(_folder.Path));

        static bool IsRotated(string name) => name.EndsWith("q_proj.weight") || name.EndsWith("k_proj.weight");
    }

    [Fact]
    public void A_shard_that_is_not_there_is_named()
    {
        Copy("gptq", "model-00001-of-00003.safetensors");
        _folder.Write("model-00003-of-00003.safetensors", "x");
        var error = Assert.Throws<CheckpointFormatException>(() => Checkpoint.Open(_folder.Path));
        Assert.Contains("has no 'model-00002-of-00003.safetensors'", error.Message);
    }

    [Fact]
    public void A_tensor_in_two_files_is_named_with_both()
    {
        Copy("gptq", "a.safetensors");
        File.Copy(Path.Combine(_folder.Path, "a.safetensors"), Path.Combine(_folder.Path, "b.safetensors"));
        var error = Assert.Throws<CheckpointFormatException>(() => Checkpoint.Open(_folder.Path));
        Assert.Contains("b.safetensors: tensor", error.Message);
        Assert.Contains("is in 'a.safetensors' too", error.Message);
    }

    [Fact]
    public void Two_indexes_are_named()
    {
        Copy("gptq", weights: null);
        _folder.With("a.safetensors.index.json", "{}").With("b.safetensors.index.json", "{}");
        var error = Assert.Throws<CheckpointFormatException>(() => Checkpoint.Open(_folder.Path));
        Assert.Contains("a.safetensors.index.json, b.safetensors.index.json", error.Message);
    }

    [Theory, MemberData(nameof(RotaryTables))]
    public void Tables_of_rotary_positions_are_passed_over(string name)
    {
        Copy("gptq", weights: null);
        SafetensorsWriter.Write(
            Path.Combine(_folder.Path, "model.safetensors"),
            [.. SafetensorsWriter.All(Original("gptq")), (name, HostTensors.Of(name, DType.F32, new float[16], 16))]);
        AssertSameBits("gptq");
    }

    [Theory, InlineData("gptq"), InlineData("gptq-act-order"), InlineData("awq"), InlineData("squeezellm")]
    public void A_bias_of_zeros_beside_every_quantized_layer_changes_nothing(string name)
    {
        Copy(name, weights: null);
        var original = Original(name);
        var layers = original.Names.Where(tensor => tensor.EndsWith(".qweight")).Select(tensor => tensor[..^".qweight".Length]);
        var biases = layers.Select(layer =>
        {
            var outputs = original.Find(layer + (name == "squeezellm" ? ".lookup_table" : ".scales"))!.Shape[name == "squeezellm" ? 0 : 1];
            return (layer + ".bias", HostTensors.Of(layer + ".bias", DType.F16, new float[outputs], outputs));
        });
        SafetensorsWriter.Write(Path.Combine(_folder.Path, "model.safetensors"), [.. SafetensorsWriter.All(original), .. biases]);
        AssertSameBits(name);
    }

    [Fact]
    public void A_bias_that_would_change_the_outputs_is_refused_by_name()
    {
        Copy("gptq", weights: null);
        var values = new float[384];
        values[7] = 0.5f;
        SafetensorsWriter.Write(
            Path.Combine(_folder.Path, "model.safetensors"),
            [.. SafetensorsWriter.All(Original("gptq")), (Layer + ".bias", HostTensors.Of(Layer + ".bias", DType.F16, values, 384))]);
        var error = Assert.Throws<CheckpointFormatException>(() => Logits(_folder.Path));
        Assert.Contains($"tensor '{Layer}.bias' is not zero (element 7), but config.json gives the layer no bias", error.Message);
    }

    [Theory, MemberData(nameof(SideFiles))]
    public void Settings_may_stand_in_a_file_beside_config_json(string name, string file, string settings)
    {
        Copy(name, "model.safetensors", config => config.Remove("quantization_config"));
        _folder.Write(file, settings);
        AssertSameBits(name);
    }

    [Fact]
    public void Settings_of_config_json_come_before_a_files()
    {
        Copy("gptq", "model.safetensors");
        _folder.Write("quantize_config.json", """{"bits": 8, "group_size": 128}""");
        AssertSameBits("gptq");
    }

    [Fact]
    public void Settings_in_a_file_are_refused_by_its_name()
    {
        Copy("gptq", "model.safetensors", config => config.Remove("quantization_config"));
        var path = _folder.Write("quantize_config.json", """{"bits": 3, "group_size": 128}""");
        var error = Assert.Throws<ModelConfigException>(() => ModelConfig.Load(_folder.Path));
        Assert.Equal($"{path}: 'bits' is 3; supported: 4, 8", error.Message);
    }

    [Theory, InlineData(true), InlineData(false)]
    public void Compressed_tensors_may_call_its_settings_by_their_old_key(bool namesMethod)
    {
        Copy("fp8-compressed-tensors", "model.safetensors", config =>
        {
            var settings = config["quantization_config"]!.DeepClone().AsObject();
            if (!namesMethod)
            {
                settings.Remove("quant_method");
            }

            config.Remove("quantization_config");
            config["compression_config"] = settings;
        });
        AssertSameBits("fp8-compressed-tensors");
    }

    [Fact]
    public void Settings_for_single_layers_may_be_empty()
    {
        Copy("gptq", "model.safetensors", config => config["quantization_config"]!["dynamic"] = new JsonObject());
        AssertSameBits("gptq");
    }

    [Fact]
    public void Awq_may_use_its_own_names_in_config_json()
    {
        Copy("awq", "model.safetensors", config => config["quantization_config"] = JsonNode.Parse(
            """{"quant_method": "awq", "w_bit": 4, "q_group_size": 32, "zero_point": true, "version": "GEMM"}"""));
        AssertSameBits("awq");
    }

    [Fact]
    public void Llama_may_be_spelled_as_it_first_was()
    {
        Copy("gptq", "model.safetensors", config => config["architectures"] = new JsonArray("LLaMAForCausalLM"));
        AssertSameBits("gptq");
    }

    [Theory, InlineData(true), InlineData(false)]
    public void Fbgemms_fp8_is_fp8_with_a_scale_for_each_output(bool hasBound)
    {
        Copy("fp8-compressed-tensors", weights: null, config => config["quantization_config"] = JsonNode.Parse(
            """{"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0, "modules_to_not_convert": ["lm_head"]}"""));
        var bound = $"{Layer}.input_scale_ub";
        SafetensorsWriter.Write(
            Path.Combine(_folder.Path, "model.safetensors"),
            [
                .. SafetensorsWriter.All(Original("fp8-compressed-tensors")),
                .. hasBound ? [(bound, HostTensors.Of(bound, DType.F32, [1200f], 1))] : Array.Empty<(string, HostTensor)>(),
            ]);
        AssertSameBits("fp8-compressed-tensors");
        Assert.Equal("fbgemm_fp8 E4M3 weights", ModelConfig.Load(_folder.Path).Quantization!.Description);
    }

    private static WeightSource Original(string name) => Checkpoint.Open(QuantizedCheckpoints.Folder(name));

    private void Copy(string name, string? weights, Action<JsonObject>? edit = null)
    {
        var from = QuantizedCheckpoints.Folder(name);
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(from, "config.json")))!.AsObject();
        edit?.Invoke(config);
        _folder.Write("config.json", config.ToJsonString());
        if (weights is not null)
        {
            File.Copy(Path.Combine(from, "model.safetensors"), Path.Combine(_folder.Path, weights));
        }
    }

    private void AssertSameBits(string name) => Assert.Equal(Logits(QuantizedCheckpoints.Folder(name)), Logits(_folder.Path));

    private static float[] Logits(string folder)
    {
        int[] prompt = [1, 17, 42, 5, 99, 3];
        using var model = ModelLoader.Load(
            folder, CpuBackend.Create(new CpuOptions { Threads = 1, MemoryBytes = 1L << 28 }),
            new ModelRunnerOptions { MaxBatchedTokens = 16, MaxLogits = 16, MaxSequences = 1, MaxModelLength = 32 });
        PackedSequences sequence = new(model.Runner, 1, prompt.Length);
        sequence.Add(0, prompt);
        return sequence.Run().ToArray();
    }

    private static string MetaName(string name)
    {
        foreach (var (from, to) in (ReadOnlySpan<(string, string)>)
        [
            ("model.embed_tokens", "tok_embeddings"), ("model.norm", "norm"), ("lm_head", "output"), ("model.layers", "layers"),
            ("input_layernorm", "attention_norm"), ("post_attention_layernorm", "ffn_norm"), ("self_attn.q_proj", "attention.wq"),
            ("self_attn.k_proj", "attention.wk"), ("self_attn.v_proj", "attention.wv"), ("self_attn.o_proj", "attention.wo"),
            ("mlp.gate_proj", "feed_forward.w1"), ("mlp.down_proj", "feed_forward.w2"), ("mlp.up_proj", "feed_forward.w3"),
        ])
        {
            name = name.Replace(from, to);
        }

        return name;
    }

    /// <summary>Row 2i + j of a head from row i + j · headDim / 2.</summary>
    private static HostTensor Interleaved(HostTensor tensor, int headDim)
    {
        using MemoryStream bytes = new();
        for (var row = 0; row < tensor.Rows; row++)
        {
            var inHead = row % headDim;
            bytes.Write(tensor.Row(row - inHead + (inHead / 2) + (inHead % 2 * headDim / 2)));
        }

        return HostTensors.Raw(tensor.Name, tensor.DType, bytes.ToArray(), [.. tensor.Shape]);
    }
}
