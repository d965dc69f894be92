using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Models.Architectures;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Verification;
using Cluster.Worker.Tests.Compute;
using Cluster.Worker.Tests.Models.Checkpoints;
using Cluster.Worker.Tests.Models.Layers;

namespace Cluster.Worker.Tests.Models.Architectures;

/// <summary>Weights under every name and in every type that checkpoints have them.</summary>
public sealed class ArchitectureWeightsTests
{
    public static TheoryData<string> Names => ForwardPassTests.Names;

    [Theory, MemberData(nameof(Names))]
    public void Weights_stored_in_f32_give_the_bits_of_those_in_bf16(string name) =>
        Assert.Equal(Logits(name), Logits(name, weights => new ConvertedWeights(weights, DType.F32)));

    [Theory, MemberData(nameof(Names))]
    public void Weights_stored_in_f16_give_nearly_the_same(string name)
    {
        var expected = Logits(name);
        var actual = Logits(name, weights => new ConvertedWeights(weights, DType.F16));
        Assert.All(expected, (logit, i) => Assert.Equal(logit, actual[i], 2e-3f));
    }

    [Fact]
    public void Checkpoints_without_the_models_prefix_are_read()
    {
        Assert.Equal(
            Logits("bloom"),
            Logits("bloom",
                weights => new ConvertedWeights(weights, rename: name => name.Replace("transformer.", "", StringComparison.Ordinal))));
        Assert.Equal(
            Logits("opt"),
            Logits("opt",
                weights =>
                    new ConvertedWeights(weights, rename: name => name.Replace("model.decoder.", "decoder.", StringComparison.Ordinal))));
    }

    [Fact]
    public void Yi_is_llama_under_its_first_and_its_later_names()
    {
        var llama = Logits("llama2");
        ModelConfig AsYi(ModelConfig config) => config with { Architecture = new Yi() };

        Assert.Equal(llama, Logits("llama2", configure: AsYi));
        Assert.Equal(llama, Logits("llama2", weights => new ConvertedWeights(weights, rename: name => name
            .Replace("input_layernorm", "ln1", StringComparison.Ordinal)
            .Replace("post_attention_layernorm", "ln2", StringComparison.Ordinal)), AsYi));
    }

    [Fact]
    public void A_language_model_is_found_under_either_prefix()
    {
        const string First = "language_model.model.", Later = "model.language_model.";

        Assert.Equal(
            Logits("gemma3-multimodal"),
            Logits("gemma3-multimodal",
                weights => new ConvertedWeights(weights, rename: name => name.Replace(First, Later, StringComparison.Ordinal)
                    .Replace("vision_tower.", "model.vision_tower.", StringComparison.Ordinal))));
        Assert.Equal(
            Logits("gpt2"),
            Logits("gpt2",
                weights => new ConvertedWeights(weights, rename: name => name.Replace("transformer.", "", StringComparison.Ordinal))));
    }

    [Fact]
    public void An_output_layer_that_is_stored_is_used_where_the_configurations_disagree()
    {
        const string Output = "language_model.lm_head.weight";
        var stored = HostTensors.Of(Output, DType.F32, HostTensors.Random(new Random(1), 128 * 32), 128, 32);

        Assert.NotEqual(
            Logits("mistral3-multimodal"), Logits("mistral3-multimodal", weights => new EditedWeights(weights).With(Output, stored)));
        Assert.Equal(
            Logits("gemma3-multimodal"),
            Logits("gemma3-multimodal", weights => new EditedWeights(weights).With(Output, "language_model.model.norm.weight")));
    }

    [Fact]
    public void Layers_that_predict_further_tokens_are_left_out_only_where_the_configuration_counts_them()
    {
        EditedWeights More(WeightSource weights) => new EditedWeights(weights)
            .With("model.layers.3.eh_proj.weight", "lm_head.weight").With("mtp.fc.weight", "lm_head.weight");

        Assert.Equal(Logits("llama2"), Logits("llama2", More, config => config with { PredictionLayers = 1 }));
        var error = Assert.Throws<CheckpointFormatException>(() => Logits("llama2", More));
        Assert.Contains("has 1 tensors that config.json has no place for: 'model.layers.3.eh_proj.weight'", error.Message);
    }

    [Theory]
    [InlineData("gpt2", "transformer.h.1.attn.c_attn.weight", "[32, 96]")]
    [InlineData("phi3", "model.layers.1.self_attn.qkv_proj.weight", "[64, 32]")]
    [InlineData("phi3", "model.layers.1.mlp.gate_up_proj.weight", "[96, 32]")]
    [InlineData("falcon-new", "transformer.h.1.self_attention.query_key_value.weight", "[64, 32]")]
    [InlineData("cohere", "model.layers.2.self_attn.q_norm.weight", "[4, 8]")]
    [InlineData("olmo2", "model.layers.2.self_attn.k_norm.weight", "[16]")]
    [InlineData("qwen3", "model.layers.2.self_attn.q_norm.weight", "[32]")]
    [InlineData("qwen2", "model.layers.1.self_attn.v_proj.bias", "[32]")]
    [InlineData("mixtral", "model.layers.1.block_sparse_moe.experts.3.w2.weight", "[64, 160]")]
    [InlineData("qwen3-moe", "model.layers.0.mlp.gate.weight", "[4, 64]")]
    [InlineData("gemma2", "model.layers.0.post_feedforward_layernorm.weight", "[64]")]
    [InlineData("phi", "lm_head.bias", "[320]")]
    [InlineData("bloom", "transformer.h.2.self_attention.query_key_value.bias", "[192]")]
    [InlineData("opt", "model.decoder.embed_positions.weight", "[258, 64]")]
    public void A_missing_tensor_is_named_with_its_shape(string name, string tensor, string shape)
    {
        var (config, weights) = ModelLoader.Open(Fixtures.Checkpoint(name));

        var error = Assert.Throws<CheckpointFormatException>(
            () => ModelLoader.Load(config, new EditedWeights(weights).Without(tensor), new RecordingBackend(), new ModelRunnerOptions()));

        Assert.Contains($"'{tensor}' is missing; config.json calls for it with shape {shape}", error.Message);
    }

    [Fact]
    public void A_dense_layer_of_a_mixture_has_an_ordinary_mlp()
    {
        var (config, weights) = ModelLoader.Open(Fixtures.Checkpoint("qwen3-moe"));
        config = config with { Moe = config.Moe! with { DenseLayers = [1] } };

        var error = Assert.Throws<CheckpointFormatException>(
            () => ModelLoader.Load(config, weights, new RecordingBackend(), new ModelRunnerOptions()));

        Assert.Contains("'model.layers.1.mlp.gate_proj.weight' is missing; config.json calls for it with shape [160, 64]", error.Message);
    }

    /// <summary>Of a few tokens by the CPU backend.</summary>
    private static float[] Logits(
        string name, Func<WeightSource, WeightSource>? convert = null, Func<ModelConfig, ModelConfig>? configure = null)
    {
        const int Length = 24;
        var (config, weights) = ModelLoader.Open(Fixtures.Checkpoint(name));
        config = configure?.Invoke(config) ?? config;
        var options = new ModelRunnerOptions { MaxSequences = 1, MaxBatchedTokens = Length, MaxLogits = Length, MaxModelLength = 64 };
        using var model = ModelLoader.Load(
            config, convert?.Invoke(weights) ?? weights, CpuBackend.Create(new CpuOptions { Threads = 1 }), options);
        var sequences = new PackedSequences(model.Runner, 1, Length);
        sequences.Add(0, [.. Enumerable.Range(0, Length).Select(i => i * 37 % config.VocabSize)]);
        return sequences.Run().ToArray();
    }
}
