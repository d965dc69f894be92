using System.Text.Json.Nodes;
using Cluster.Operator.Reconciling.Sizing;
using Cluster.Worker.Compute;
using WorkerConfig = Cluster.Worker.Models.Config.ModelConfig;

namespace Cluster.EndToEnd.Tests.Contracts;

/// <summary>config.json has two readers: the operator's, which sizes a deployment, and the worker's, which builds the model. They must
/// understand a file alike: otherwise a replica gets too few GPUs, or GPUs for a model that no worker can load.</summary>
public sealed class ModelConfigReadersTests
{
    private static readonly Dictionary<string, string> Bases = new()
    {
        ["llama"] = """{"architectures": ["LlamaForCausalLM"], "hidden_act": "silu"}""",
        ["Yi"] = """{"architectures": ["YiForCausalLM"]}""",
        ["mistral"] = """{"architectures": ["MistralForCausalLM"], "hidden_act": "silu"}""",
        ["qwen2"] = """{"architectures": ["Qwen2ForCausalLM"], "hidden_act": "silu"}""",
        ["qwen3"] = """{"architectures": ["Qwen3ForCausalLM"], "hidden_act": "silu"}""",
        ["gemma2"] = """{"architectures": ["Gemma2ForCausalLM"]}""",
        ["mixtral"] = """{"architectures": ["MixtralForCausalLM"], "num_local_experts": 4, "num_experts_per_tok": 1}""",
        ["qwen3_moe"] =
            """{"architectures": ["Qwen3MoeForCausalLM"], "num_experts": 4, "num_experts_per_tok": 1, "moe_intermediate_size": 24}""",
        ["phi"] = """{"architectures": ["PhiForCausalLM"]}""",
        ["bloom"] = """{"architectures": ["BloomForCausalLM"]}""",
        ["opt"] = """{"architectures": ["OPTForCausalLM"]}""",
    };

    /// <summary>Every field that either reader looks at, with what may stand there. The first is what usually does.</summary>
    private static readonly (string Field, string[] Values)[] Fields =
    [
        ("hidden_size", ["64", "96", "0", "-64", "64.5", "\"64\"", "2000000", "null", ""]),
        ("n_embed", ["", "128", "\"x\""]),
        ("num_attention_heads", ["8", "4", "7", "0", "[8]", "null", ""]),
        ("n_head", ["", "16"]),
        ("num_hidden_layers", ["2", "3", "1024", "1025", "true", ""]),
        ("n_layer", ["", "5"]),
        ("num_key_value_heads", ["", "2", "8", "3", "0", "null", "\"2\""]),
        ("head_dim", ["", "16", "20", "1025", "null", "\"16\""]),
        ("intermediate_size", ["96", "128", "0", "null", ""]),
        ("ffn_dim", ["", "80"]),
        ("n_inner", ["", "112", "null"]),
        ("vocab_size", ["256", "5000000", "1", "null", ""]),
        ("max_position_embeddings", ["512", "null", "", "0"]),
        ("seq_length", ["", "1024"]),
        ("dtype", ["", "\"bfloat16\"", "\"float32\"", "\"float16\"", "\"auto\"", "\"int8\"", "null", "16"]),
        ("torch_dtype", ["", "\"float32\"", "\"float16\"", "\"bfloat16\"", "\"half\""]),
        ("tie_word_embeddings", ["", "true", "false", "null", "\"yes\""]),
        ("num_experts", ["", "8", "0"]),
        ("num_local_experts", ["", "6", "null"]),
        ("decoder_sparse_step", ["", "2", "0", "null"]),
        ("mlp_only_layers", ["", "[0]", "[]", "[1, 0]", "null", "\"0\"", "[7]"]),
        ("moe_intermediate_size", ["", "40", "0"]),
        ("quantization_config",
            ["", "null", """{"quant_method": "fp8", "activation_scheme": "dynamic"}""",
                """{"quant_method": "awq", "bits": 4, "group_size": 8, "zero_point": true}""",
            """{"quant_method": "gptq", "bits": 8, "group_size": 16}""", """{"quant_method": "gptq", "bits": 4, "group_size": -1}""",
            """{"quant_method": "squeezellm", "wbits": 4}""", """{"quant_method": "magic"}""", """{"bits": 4}""",
            """{"quant_method": "gptq", "bits": 3, "group_size": 8}""",
            """{"quant_method": "gptq", "bits": 4, "group_size": 8, "dynamic": {}}""",
            """{"quant_method": "gptq", "bits": 4, "group_size": 8, "dynamic": {"-:x": {}}}""",
            """{"quant_method": "gptq", "bits": 4, "group_size": 8, "checkpoint_format": "marlin"}""",
            """{"quant_method": "gptq", "bits": 4, "group_size": 8, "is_marlin_format": true}""",
            """{"quant_method": "gptq", "bits": 4, "group_size": 8, "desc_act": "yes"}""",
            """{"quant_method": "gptq", "bits": 4, "group_size": 0}""", """{"quant_method": "gptq", "bits": 4}""",
            """{"quant_method": "awq", "w_bit": 4, "q_group_size": 8, "version": "GEMM"}""",
            """{"quant_method": "awq", "bits": 4, "group_size": 8, "version": "gemv"}""",
            """{"quant_method": "awq", "bits": 4, "group_size": 8, "zero_point": false}""",
            """{"quant_method": "awq", "bits": 8, "group_size": 8}""",
            """{"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}""",
            """{"quant_method": "fp8", "activation_scheme": "static", "ignored_layers": "lm_head"}""",
            """{"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0, "modules_to_not_convert": ["lm_head"]}""",
            """{"quant_method": "fbgemm_fp8", "activation_scale_ub": 0}""",
            Compressed("float-quantized"), Compressed("pack-quantized"), Compressed("float-quantized", "int"),
            Compressed("float-quantized", "float", "group"),
            """{"quant_method": "squeezellm", "wbits": 3}"""]),
        ("compression_config", ["", Compressed("float-quantized"), """{"format": "float-quantized", "config_groups": {}}""", "5"]),
    ];

    public static TheoryData<string> Goldens
    {
        get
        {
            var data = new TheoryData<string>();
            string[] roots = [
                Path.Combine(RepositoryRoot.Path, "tests", "fixtures", "goldens"),
                Path.Combine(RepositoryRoot.Path, "..", "shared", "goldens")];
            var files = roots.Where(Directory.Exists)
                .SelectMany(root => Directory.EnumerateFiles(root, "config.json", SearchOption.AllDirectories));
            foreach (var file in files.Order(StringComparer.Ordinal))
            {
                data.Add(Path.GetRelativePath(RepositoryRoot.Path, Path.GetDirectoryName(file)!));
            }

            return data;
        }
    }

    public static TheoryData<string, int> Synthetic
    {
        get
        {
            var data = new TheoryData<string, int>();
            foreach (var type in Bases.Keys)
            {
                for (var seed = 0; seed < 8; seed++)
                {
                    data.Add(type, seed);
                }
            }

            return data;
        }
    }

    [Theory, MemberData(nameof(Goldens))]
    public void Every_golden_configuration_means_the_same_to_both(string folder) =>
        AssertAlike(File.ReadAllText(Path.Combine(RepositoryRoot.Path, folder, "config.json")));

    [Theory, MemberData(nameof(Synthetic))]
    public void Synthetic_configurations_mean_the_same_to_both(string type, int seed)
    {
        var random = new Random(seed);
        for (var i = 0; i < 25; i++)
        {
            AssertAlike(
                Build(type, field => field.Length == 0 || random.Next(8) > 0 ? 0 : random.Next(field.Length)));
        }
    }

    [Theory, MemberData(nameof(EveryValue))]
    public void Every_single_value_means_the_same_to_both(string field, string value)
    {
        foreach (var type in Bases.Keys)
        {
            AssertAlike(
                Build(type, values => values == Fields.Single(f => f.Field == field).Values ? Array.IndexOf(values, value) : 0));
        }
    }

    public static TheoryData<string, string> EveryValue
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var (name, values) in Fields)
            {
                foreach (var value in values)
                {
                    data.Add(name, value);
                }
            }

            return data;
        }
    }

    private static string Compressed(string format, string type = "float", string strategy = "channel") =>
        $$$"""
        {"quant_method": "compressed-tensors", "format": "{{{format}}}", "config_groups": {"g": {"targets": ["Linear"],
        "weights": {"num_bits": 8, "type": "{{{type}}}", "strategy": "{{{strategy}}}", "symmetric": true}} } }
        """;

    private static string Build(string type, Func<string[], int> choose)
    {
        var json = JsonNode.Parse(Bases[type])!.AsObject();
        json["model_type"] = type;
        foreach (var (field, values) in Fields)
        {
            if (values[choose(values)] is { Length: > 0 } text)
            {
                json[field] = JsonNode.Parse(text);
            }
            else if (values[0].Length > 0)
            {
                json.Remove(field);
            }
        }

        return json.ToJsonString();
    }

    private static void AssertAlike(string json)
    {
        var (sized, sizingProblem) = Try(
            () => ModelShapeReader.Read(ModelConfig.Parse(System.Text.Encoding.UTF8.GetBytes(json), "config.json")));
        var (served, servingProblem) = Try(() => Load(json));
        if (served is null)
        {
            Assert.True(sized is null, $"the operator sizes what the worker refuses ({servingProblem}): {json}");
            return;
        }

        Assert.True(sized is not null, $"the operator refuses what the worker serves ({sizingProblem}): {json}");
        Assert.Equal(Facts(served), Facts(sized!));
    }

    private static string Facts(WorkerConfig config) => string.Join(
        '\n',
        $"layers {config.NumLayers}, hidden {config.HiddenSize}, intermediate {(config.HasDenseLayers ? config.IntermediateSize : 0)}, "
        + $"gated {config.GatedMlp}",
        $"heads {config.NumHeads}, kv heads {config.NumKvHeads}, head size {config.HeadDim}",
        $"vocabulary {config.VocabSize}, tied {config.TieWordEmbeddings}, positions {config.MaxPositionEmbeddings}, learned "
        + $"{config.LearnedPositionOffset is not null}",
        $"experts {config.Moe?.NumExperts ?? 0} of {config.Moe?.IntermediateSize ?? 0} in "
        + $"{Enumerable.Range(0, config.NumLayers).Count(layer => config.Moe?.HasExperts(layer) == true)} layers",
        $"bytes {(config.DType is DType.F32 ? 4 : 2)}",
        $"quantization {Scheme(config.Quantization?.Method ?? "none")}");

    private static string Facts(ModelShape shape) => string.Join(
        '\n',
        $"layers {shape.Layers}, hidden {shape.HiddenSize}, intermediate {shape.IntermediateSize}, gated {shape.GatedMlp}",
        $"heads {shape.Heads}, kv heads {shape.KvHeads}, head size {shape.HeadDim}",
        $"vocabulary {shape.VocabSize}, tied {shape.TiedEmbeddings}, positions {shape.MaxLength}, learned {shape.LearnedPositions > 0}",
        $"experts {shape.Experts?.Count ?? 0} of {shape.Experts?.IntermediateSize ?? 0} in {shape.Experts?.Layers ?? 0} layers",
        $"bytes {shape.ElementBytes}",
        $"quantization {Scheme(shape.Format == WeightFormat.Plain ? "none" : shape.Format.Name.Split(',')[0].ToLowerInvariant())}");

    /// <summary>Several methods store weights in one way, and one stores them in several.</summary>
    private static string Scheme(string name) => name is "none" or "gptq" or "awq" or "squeezellm" or "mxfp4" ? name : "8 or 4 bits";

    private static WorkerConfig Load(string json)
    {
        var folder = Directory.CreateTempSubdirectory("config-");
        try
        {
            File.WriteAllText(Path.Combine(folder.FullName, "config.json"), json);
            return WorkerConfig.Load(folder.FullName);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static (T? Value, string? Problem) Try<T>(Func<T> read)
        where T : class
    {
        try
        {
            return (read(), null);
        }
        catch (Exception exception)
            when (exception is Operator.Reconciling.Sizing.ModelConfigException or Cluster.Worker.Models.Checkpoints.ModelConfigException)
        {
            return (null, exception.Message);
        }
    }
}
