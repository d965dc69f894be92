using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Tests.Compute;
using Cluster.Worker.Tests.Models.Checkpoints;
using Cluster.Worker.Tests.Models.Layers;

namespace Cluster.Worker.Tests.Models.Quantization;

/// <summary>Quantized tensors that do not fit: every one is refused by file, tensor and value.</summary>
public sealed class BrokenCheckpointTests
{
    private const string Layer = "model.layers.2.mlp.up_proj";

    public static TheoryData<string, string> Needed => new()
    {
        { "awq", ".qweight" },
        { "awq", ".qzeros" },
        { "awq", ".scales" },
        { "ct-w4a16", ".weight_packed" },
        { "ct-w4a16", ".weight_scale" },
        { "ct-w4a16", ".weight_shape" },
        { "ct-w4a16-asym", ".weight_zero_point" },
        { "ct-w8a8", ".weight" },
        { "fp8-block", ".weight_scale_inv" },
        { "fp8-compressed-tensors", ".weight_scale" },
        { "fp8-dynamic", ".weight" },
        { "fp8-dynamic", ".weight_scale" },
        { "fp8-static", ".input_scale" },
        { "gptq", ".qweight" },
        { "gptq", ".qzeros" },
        { "gptq", ".scales" },
        { "gptq-act-order", ".g_idx" },
        { "quark-fp8-kv", ".input_scale" },
        { "squeezellm", ".qweight" },
        { "squeezellm", ".lookup_table" },
    };

    [Theory, MemberData(nameof(Needed))]
    public void A_missing_tensor_is_named(string name, string suffix)
    {
        var error = Refused(name, weights => weights.Without(Layer + suffix));

        Assert.Equal(Layer + suffix, error.Tensor);
        Assert.Contains("is missing", error.Message);
    }

    [Theory]
    [InlineData("awq", ".qweight", "has shape [128, 16]; config.json calls for [128, 48]")]
    [InlineData("gptq", ".qweight", "has shape [16, 128]; config.json calls for [16, 384]")]
    [InlineData("gptq", ".qzeros", "has shape [4, 16]; config.json calls for [4, 48]")]
    [InlineData("gptq", ".scales", "has shape [4, 128]; config.json calls for [4, 384]")]
    [InlineData("squeezellm", ".lookup_table", "has shape [128, 16]; config.json calls for [384, 16]")]
    [InlineData("ct-w4a16", ".weight_packed", "has shape [128, 16]; config.json calls for [384, 16]")]
    [InlineData("ct-w4a16", ".weight_shape", "is [128, 128]; config.json calls for [384, 128]")]
    [InlineData("ct-w8a16", ".weight_scale", "has shape [128, 1]; config.json calls for [384, 1]")]
    [InlineData("fp8-block", ".weight_scale_inv", "has shape [1, 1]; config.json calls for [3, 1]")]
    [InlineData("fp8-dynamic", ".weight", "has shape [128, 128]; config.json calls for [384, 128]")]
    [InlineData("fp8-compressed-tensors", ".weight_scale", "has shape [128, 1]; expected [] or [1], or [384] or [384, 1]")]
    public void A_tensor_of_another_shape_is_named_with_both(string name, string suffix, string reason)
    {
        var error = Refused(name, weights => weights.With(Layer + suffix, sameAs: "model.layers.2.self_attn.o_proj" + suffix));

        Assert.Equal(Layer + suffix, error.Tensor);
        Assert.Equal(Path.Combine(QuantizedCheckpoints.Folder(name), "model.safetensors"), error.File);
        Assert.Contains(reason, error.Message);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(4)]
    [InlineData(int.MaxValue)]
    public void A_group_that_does_not_exist_is_refused_with_its_place(int group)
    {
        var index = new byte[128 * 4];
        BitConverter.TryWriteBytes(index.AsSpan(7 * 4), group);

        var error = Refused(
            "gptq-act-order", weights => weights.With(Layer + ".g_idx", HostTensors.Raw(Layer + ".g_idx", DType.I32, index, 128)));

        Assert.Contains($"tensor '{Layer}.g_idx' has {group} as element 7; there are 4 groups", error.Message);
    }

    [Fact]
    public void Groups_out_of_order_are_refused_where_act_order_is_off()
    {
        var error = Refused("gptq", weights => weights.With(
            Layer + ".g_idx", new EditedWeights(Checkpoint.Open(QuantizedCheckpoints.Folder("gptq-act-order"))).Find(Layer + ".g_idx")!));

        Assert.Contains("without desc_act that input belongs to group", error.Message);
    }

    [Theory]
    [InlineData(0x7F)]
    [InlineData(0xFF)]
    public void A_weight_that_is_no_number_is_refused_with_its_place(int code)
    {
        var codes = new byte[384 * 128];
        codes[5 * 128 + 9] = (byte)code;

        var error = Refused(
            "fp8-dynamic", weights => weights.With(Layer + ".weight", HostTensors.Raw(Layer + ".weight", DType.F8E4M3, codes, 384, 128)));

        Assert.Contains($"tensor '{Layer}.weight' has NaN (code 0x{code:X2}) at [5, 9]", error.Message);
    }

    [Fact]
    public void A_scale_that_is_not_finite_is_refused()
    {
        var scales = new float[4 * 384];
        scales[77] = float.PositiveInfinity;

        var error = Refused(
            "awq", weights => weights.With(Layer + ".scales", HostTensors.Of(Layer + ".scales", DType.F16, scales, 4, 384)));

        Assert.Contains($"tensor '{Layer}.scales' has ∞ as element 77", error.Message.Replace("Infinity", "∞"));
    }

    [Fact]
    public void An_input_scale_must_be_positive()
    {
        var error = Refused(
            "fp8-static", weights => weights.With(Layer + ".input_scale", HostTensors.Of(Layer + ".input_scale", DType.F32, [0f])));

        Assert.Contains($"tensor '{Layer}.input_scale' is 0; expected more than 0", error.Message);
    }

    [Fact]
    public void A_scale_of_the_cache_must_be_there_and_positive()
    {
        const string Scale = "model.layers.2.self_attn.k_proj.output_scale";
        Assert.Contains($"'{Scale}' is missing", Refused("quark-fp8-kv", weights => weights.Without(Scale)).Message);

        var error = Refused("quark-fp8-kv", weights => weights.With(Scale, HostTensors.Of(Scale, DType.F32, [-1f])));
        Assert.Contains($"tensor '{Scale}' is -1; a scale of the cache is positive and finite", error.Message);
    }

    [Fact]
    public void A_tensor_of_another_type_is_refused_with_both()
    {
        var error = Refused(
            "squeezellm",
            weights => weights.With(Layer + ".qweight", HostTensors.Of(Layer + ".qweight", DType.F32, new float[16 * 384], 16, 384)));

        Assert.Contains($"tensor '{Layer}.qweight' is F32; squeezellm calls for I32", error.Message);
    }

    [Theory]
    [InlineData(
        "gptq", "\"group_size\": 32", "\"group_size\": 48",
        "tensor 'model.layers.0.self_attn.q_proj.scales' cannot have 128 inputs in groups: they come in 48s")]
    [InlineData("awq", "\"group_size\": 32", "\"group_size\": 64", "has shape [4, 128]; config.json calls for [2, 128]")]
    [InlineData("gptq", "\"bits\": 4", "\"bits\": 8", "has shape [16, 128]; config.json calls for [32, 128]")]
    public void A_configuration_of_another_model_is_refused(string name, string from, string to, string reason)
    {
        using var folder = new TemporaryFolder();
        var json = File.ReadAllText(Path.Combine(QuantizedCheckpoints.Folder(name), "config.json"));
        Assert.Contains(from, json);
        folder.Write("config.json", json.Replace(from, to));
        var config = ModelConfig.Load(folder.Path);

        var error = Assert.Throws<CheckpointFormatException>(
            () => ModelLoader.Load(
                config, Checkpoint.Open(QuantizedCheckpoints.Folder(name)), new RecordingBackend(),
                new ModelRunnerOptions { MaxModelLength = 64 }));

        Assert.Contains(reason, error.Message);
    }

    [Fact]
    public void Layers_left_unquantized_are_read_as_they_are()
    {
        var zeros = HostTensors.Of(Layer + ".weight", DType.BF16, new float[128 * 384], 128, 384);
        var down = "model.layers.2.mlp.down_proj";
        var weights = new EditedWeights(Checkpoint.Open(QuantizedCheckpoints.Folder("gptq")))
            .With(down + ".weight", zeros).Without(down + ".qweight").Without(down + ".qzeros").Without(down + ".scales")
            .Without(down + ".g_idx");

        using var model = ModelLoader.Load(
            ModelConfig.Load(QuantizedCheckpoints.Folder("gptq")), weights, new RecordingBackend(),
            new ModelRunnerOptions { MaxModelLength = 64 });

        Assert.NotNull(model.Config.Quantization);
    }

    [Fact]
    public void A_stacked_layer_that_is_quantized_in_part_is_refused()
    {
        var gate = "model.layers.2.mlp.gate_proj";
        var error = Refused("gptq", weights => weights
            .With(gate + ".weight", HostTensors.Of(gate + ".weight", DType.BF16, new float[384 * 128], 384, 128))
            .Without(gate + ".qweight"));

        Assert.Contains($"quantizes only some of {gate}, {Layer}", error.Message);
    }

    private static CheckpointFormatException Refused(string name, Func<EditedWeights, EditedWeights> edit)
    {
        var folder = QuantizedCheckpoints.Folder(name);
        var weights = edit(new EditedWeights(Checkpoint.Open(folder)));
        return Assert.Throws<CheckpointFormatException>(
            () => ModelLoader.Load(
                ModelConfig.Load(folder), weights, new RecordingBackend(), new ModelRunnerOptions { MaxModelLength = 64 }));
    }
}
