using System.Text;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Layers;
using Cluster.Worker.Models.Quantization;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Tests.Compute;
using Cluster.Worker.Tests.Models.Layers;

namespace Cluster.Worker.Tests.Models.Quantization;

public sealed class QuantizationSchemeTests
{
    private const string Group =
        """{"targets":["Linear"],"weights":{"num_bits":8,"type":"float","strategy":"channel","symmetric":true,"dynamic":false},"input_activations":null}""";

    private const string Integers =
        """{"format":"pack-quantized","targets":["Linear"],"weights":{"num_bits":4,"type":"int","strategy":"group","group_size":32}}""";

    private const string Down =
        """{"format":"float-quantized","targets":["re:.*down"],"weights":{"num_bits":8,"type":"float","strategy":"tensor"}}""";

    private const string Fp8Weight = """{"dtype":"fp8_e4m3","is_dynamic":false,"qscheme":"per_tensor"}""";

    public static TheoryData<string, string, string> Known => new()
    {
        { "awq", "awq", "awq, 4 bits, groups of 32" },
        { "ct-w4a16", "compressed-tensors", "compressed-tensors, 4 bits, groups of 32" },
        { "ct-w4a16-asym", "compressed-tensors", "compressed-tensors, 4 bits, groups of 32, with zeros" },
        { "ct-w8a16", "compressed-tensors", "compressed-tensors, 8 bits, a scale per output" },
        { "ct-w8a8", "compressed-tensors", "compressed-tensors, 8 bits, a scale per output, inputs rounded to 8 bits" },
        { "fp8-block", "fp8", "fp8 E4M3 weights in blocks of 128×128" },
        { "fp8-compressed-tensors", "compressed-tensors", "compressed-tensors, fp8 E4M3 weights" },
        { "fp8-dynamic", "fp8", "fp8 E4M3 weights" },
        { "fp8-static", "fp8", "fp8 E4M3 weights" },
        { "gpt-oss-mxfp4", "mxfp4", "mxfp4, experts of 4 bits in groups of 32" },
        { "gptq", "gptq", "gptq, 4 bits, groups of 32" },
        { "gptq-act-order", "gptq", "gptq, 4 bits, groups of 32 in act-order" },
        { "quark-fp8-kv", "quark", "quark, fp8 E4M3 weights" },
        { "squeezellm", "squeezellm", "squeezellm, 4 bits" },
    };

    public static TheoryData<string, string> Refused => new()
    {
        { """{"bits":4}""", "'quantization_config.quant_method' is ''; supported: fp8, compressed-tensors, gptq, awq, squeezellm" },
        { """{"quant_method":"fp8"}""", "'quantization_config.activation_scheme' is ''; supported: static, dynamic" },
        { """{"quant_method":"fp8","activation_scheme":"dynamic","weight_block_size":[128]}""",
            "weight_block_size' must be a list of two numbers" },
        { """{"quant_method":"fp8","activation_scheme":"dynamic","weight_block_size":[128,0]}""",
            "weight_block_size' is [128,0]; expected a list of whole numbers from 1 to" },
        { """{"quant_method":"fp8","activation_scheme":"dynamic","fmt":"e5m2"}""", "fmt' is 'e5m2'; supported: e4m3" },
        { """{"quant_method":"gptq","bits":3,"group_size":32}""", "'quantization_config.bits' is 3; supported: 4, 8" },
        { """{"quant_method":"gptq","bits":4}""", "'quantization_config.group_size' is missing" },
        { """{"quant_method":"gptq","bits":4,"group_size":0}""", "'quantization_config.group_size' is 0; expected a number of inputs, or "
            + "-1 for all" },
        { """{"quant_method":"gptq","bits":4,"group_size":-2}""", "'quantization_config.group_size' is -2; expected -1 to" },
        { """{"quant_method":"gptq","bits":4,"group_size":32,"checkpoint_format":"marlin"}""", "checkpoint_format' is 'marlin'; "
            + "supported: gptq, gptq_v2" },
        { """{"quant_method":"gptq","bits":4,"group_size":32,"dynamic":{"-:x":{}}}""", "dynamic' has settings per layer" },
        { """{"quant_method":"awq","bits":8,"group_size":32}""", "'quantization_config.bits' is 8; supported: 4" },
        { """{"quant_method":"awq","bits":4,"group_size":32,"zero_point":false}""", "zero_point' is false; supported: true" },
        { """{"quant_method":"awq","bits":4,"group_size":32,"version":"gemv"}""", "version' is 'gemv'; supported: gemm" },
        { """{"quant_method":"squeezellm","wbits":3}""", "'quantization_config.wbits' is 3; supported: 4" },
        { """{"quant_method":"compressed-tensors","format":"nvfp4-pack-quantized"}""",
            "format' is 'nvfp4-pack-quantized'; supported: pack-quantized, int-quantized, float-quantized, naive-quantized" },
        { """{"quant_method":"compressed-tensors","format":"mixed-precision","config_groups":{"g":{"format":"marlin-24"}}}""",
            "config_groups.g.format' is 'marlin-24'; supported: pack-quantized" },
        { """{"quant_method":"compressed-tensors","format":"mixed-precision","config_groups":{"g":{}}}""",
            "config_groups.g.format' is 'mixed-precision'; supported: pack-quantized" },
        { """{"quant_method":"compressed-tensors","format":"float-quantized","sparsity_config":{"format":"sparse-24-bitmask"}}""",
            "sparsity_config' has format 'sparse-24-bitmask'; supported: dense" },
        { """{"quant_method":"compressed-tensors","format":"float-quantized","transform_config":{"config_groups":{}}}""",
            "transform_config' has transforms; supported: none" },
        { """{"quant_method":"compressed-tensors","format":"float-quantized"}""", "config_groups' is missing" },
        { Compressed(Group.Replace("\"num_bits\":8", "\"num_bits\":4")), "config_groups.g.weights.num_bits' is 4; supported: 8" },
        { Compressed(Group.Replace("channel", "group")),
            "config_groups.g.weights.strategy' is 'group'; supported: tensor, channel, block" },
        { Compressed(Group.Replace("channel", "block")), "config_groups.g.weights.block_structure' must be a list of two numbers" },
        { Compressed(Group.Replace("\"dynamic\":false", "\"dynamic\":true")), "config_groups.g.weights.dynamic' is true" },
        { Compressed(Group.Replace("\"symmetric\":true", "\"symmetric\":false")), "config_groups.g.weights.symmetric' is false" },
        { Compressed(Integers.Replace("\"num_bits\":4", "\"num_bits\":3")), "config_groups.g.weights.num_bits' is 3; supported: 4, 8" },
        { Compressed(Integers.Replace("pack-", "int-")), "config_groups.g.weights.num_bits' is 4; supported: 8" },
        { Compressed(Integers.Replace("\"group\"", "\"tensor_group\"")),
            "config_groups.g.weights.strategy' is 'tensor_group'; supported: tensor, channel, group" },
        { Compressed(Integers.Replace("\"int\"", "\"float\"")), "config_groups.g.weights.type' is 'float'; supported: int" },
        { """{"quant_method":"quark"}""", "'quantization_config.global_quant_config' is missing" },
        { Quark(Fp8Weight.Replace("fp8_e4m3", "int4")), "global_quant_config.weight.dtype' is 'int4'; supported: fp8_e4m3" },
        { Quark(Fp8Weight.Replace("fp8_e4m3", "fp4")), "global_quant_config.weight.dtype' is 'fp4'; supported: fp8_e4m3" },
        { Quark(Fp8Weight.Replace("per_tensor", "per_group")),
            "global_quant_config.weight.qscheme' is 'per_group'; supported: per_tensor, per_channel" },
        { Quark(Fp8Weight.Replace("per_tensor\"", "per_channel\",\"ch_axis\":1")), "weight.ch_axis' is 1; supported: 0, the outputs" },
        { Quark(Fp8Weight.Replace("false", "true")), "global_quant_config.weight.is_dynamic' is true" },
        { Quark(Fp8Weight, $$$"""
            ,"layer_quant_config":{"*k_proj":{"weight":{{{Fp8Weight}}},"input_tensors":{"dtype":"int8","qscheme":"per_tensor"} } }
            """), "layer_quant_config.*k_proj.input_tensors.dtype' is 'int8'; supported: fp8_e4m3" },
        { Quark(Fp8Weight, """
            ,"layer_type_quant_config":{"Linear":{}}
            """), "layer_type_quant_config' has settings by type of layer; supported: by name" },
        { Quark(Fp8Weight, """
            ,"export":{"weight_format":"fake_quantized"}
            """), "export.weight_format' is 'fake_quantized'; supported: real_quantized" },
        { Compressed(Group.Replace("\"float\"", "\"int\"")), "config_groups.g.weights.type' is 'int'; supported: float" },
        { """{"quant_method":"compressed-tensors","format":"float-quantized","config_groups":{},"ignore":["re:(a"]}""", "ignore' has 're:(a', which is no regular expression" },
        { """{"quant_method":"compressed-tensors","format":"float-quantized","config_groups":{},"ignore":["re:(a)\\1"]}""", "no regular expression that can be matched in linear time" },
    };

    [Theory, MemberData(nameof(Known))]
    public void A_checkpoints_scheme_is_read_from_its_configuration(string name, string method, string description)
    {
        var scheme = ModelConfig.Load(QuantizedCheckpoints.Folder(name)).Quantization;

        Assert.Equal((method, description), (scheme?.Method, scheme?.Description));
    }

    [Theory, MemberData(nameof(Refused))]
    public void What_is_not_supported_is_refused_by_field_and_value(string config, string reason)
    {
        Assert.Contains(reason, Assert.Throws<ModelConfigException>(() => Find(config)).Message);
    }

    [Theory]
    [InlineData("lm_head", false)]
    [InlineData("model.layers.0.mlp.gate", false)]
    [InlineData("model.layers.0.mlp.gate_proj", true)]
    [InlineData("model.layers.3.self_attn.q_proj", false)]
    [InlineData("model.layers.13.self_attn.q_proj", true)]
    [InlineData("vision.layers.13.self_attn.q_proj", false)]
    public void Ignored_layers_are_whole_names_or_expressions(string layer, bool quantized)
    {
        var compressed = Find(Compressed(Group, """["lm_head","mlp.gate","re:.*layers\\.3\\..*","re:vision"]"""));
        var fp8 = Find(
            """{"quant_method":"fp8","activation_scheme":"dynamic","ignored_layers":["lm_head","mlp.gate","re:vision"],"modules_to_not_convert":["layers.3"]}""");
        var awq = Find(
            """{"quant_method":"awq","bits":4,"group_size":32,"modules_to_not_convert":["lm_head","mlp.gate","layers.3","vision"]}""");

        var quark = Find(Quark(Fp8Weight, """
            ,"exclude":["lm_head","*mlp.gate","*layers.3*","vision*"]
            """));

        Assert.All([compressed, fp8, awq, quark], scheme => Assert.Equal(quantized, scheme!.Quantizes(layer)));
    }

    [Fact]
    public void Only_targeted_layers_are_quantized()
    {
        var scheme = Find(Compressed(Group.Replace("\"Linear\"", "\"re:.*mlp\"")));

        Assert.True(scheme!.Quantizes("model.layers.0.mlp.up_proj"));
        Assert.False(scheme.Quantizes("model.layers.0.self_attn.q_proj"));
    }

    [Theory]
    [InlineData("model.layers.12.self_attn", false)]
    [InlineData("model.layers.12.self_attn.q_proj", false)]
    [InlineData("model.layers.12.mlp.router", false)]
    [InlineData("model.layers.12.mlp.experts.down_proj", true)]
    [InlineData("lm_head", false)]
    public void Stars_stand_for_any_characters_and_names_end_at_dots(string layer, bool quantized)
    {
        var scheme = Find(
            """{"quant_method":"mxfp4","modules_to_not_convert":["model.layers.*.self_attn","model.layers.*.mlp.router","lm_head"]}""");

        Assert.Equal(quantized, scheme!.Quantizes(layer));
    }

    [Fact]
    public void A_group_that_names_a_layer_comes_before_one_of_all()
    {
        var scheme = Find(
            $$$"""
            {"quant_method":"compressed-tensors","format":"mixed-precision","config_groups":{"a":{{{Integers}}},"b":{{{Down}}} } }
            """);

        Assert.Equal("compressed-tensors, 4 bits, groups of 32; fp8 E4M3 weights", scheme!.Description);
        HostTensor[] tensors =
        [
            HostTensors.Raw("mlp.down.weight", DType.F8E4M3, new byte[4 * 8], 4, 8),
            HostTensors.Of("mlp.down.weight_scale", DType.F32, [1f], 1),
        ];
        Assert.Equal(
            QuantizedKind.Fp8,
            scheme.Read(new LayerTensors(new CheckpointTensors(new MemoryWeights(tensors)), "x", new WeightPart("mlp.down", 4), 8)).Kind);
    }

    [Theory]
    [InlineData("gptq", "awq", "quantization awq was asked for, but the checkpoint is quantized by gptq; use auto or gptq")]
    [InlineData(
        "fp8-compressed-tensors", "fp8",
        "quantization fp8 was asked for, but the checkpoint is quantized by compressed-tensors; use auto or compressed-tensors")]
    [InlineData("gptq", "int8", "quantization int8 was asked for, but the checkpoint is quantized by gptq; use auto or gptq")]
    [InlineData("awq", "none", "quantization none was asked for, but the checkpoint is quantized by awq; use auto or awq")]
    public void Another_method_than_the_checkpoints_is_refused(string name, string requested, string message)
    {
        var error = Assert.Throws<ArgumentException>(
            () => ModelLoader.Load(
                QuantizedCheckpoints.Folder(name), new RecordingBackend(), new ModelRunnerOptions { Quantization = requested }));

        Assert.Equal(message, error.Message);
    }

    [Fact]
    public void A_method_that_weights_cannot_be_rounded_by_is_refused_and_saying_what_is_so_is_not()
    {
        var error = Assert.Throws<ArgumentException>(
            () => ModelLoader.Load(Fixtures.Haiku, new RecordingBackend(), new ModelRunnerOptions { Quantization = "awq" }));
        Assert.Equal(
            "quantization awq was asked for, but the checkpoint is not quantized; use auto, none, or fp8 or int8, which round its weights",
            error.Message);

        ModelLoader.Load(Fixtures.Haiku, new RecordingBackend(), new ModelRunnerOptions { Quantization = "none" }).Dispose();
        ModelLoader.Load(QuantizedCheckpoints.Folder("gptq"), new RecordingBackend(), new ModelRunnerOptions { Quantization = "gptq" })
            .Dispose();
    }

    private static QuantizationScheme? Find(string config) =>
        QuantizationScheme.Find(ConfigObject.Parse("config.json", Encoding.UTF8.GetBytes($$"""{"quantization_config":{{config}}}""")));

    private static string Quark(string weight, string rest = "") =>
        $$$"""{"quant_method":"quark","global_quant_config":{"weight":{{{weight}}} }{{{rest}}} }""";

    private static string Compressed(string group, string ignore = "[]") =>
        $$"""{"quant_method":"compressed-tensors","format":"float-quantized","config_groups":{"g":{{group}}},"ignore":{{ignore}}}""";
}
