using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Models.Architectures;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Verification;
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

    [Theory]
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
