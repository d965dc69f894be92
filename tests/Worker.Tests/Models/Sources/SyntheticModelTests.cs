using System.Runtime.InteropServices;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Sources;
using Cluster.Worker.Tests.Models.Layers;

namespace Cluster.Worker.Tests.Models.Sources;

public sealed class SyntheticModelTests
{
    [Theory]
    [InlineData("synthetic:llama-135m", 134_515_008L)]
    [InlineData("synthetic:llama-160m", 162_417_408L)]
    [InlineData("synthetic:llama-1b", 1_235_814_400L)]
    public void Shapes_are_those_of_the_real_model(string source, long parameters)
    {
        Assert.Equal(2 * parameters, SyntheticModel.Find(source).Weights().TotalBytes);
    }

    [Fact]
    public void Weights_depend_on_their_name_alone()
    {
        const string Query = "model.layers.7.self_attn.q_proj.weight";
        var first = SyntheticModel.Find("synthetic:llama-135m").Weights();
        var second = SyntheticModel.Find("synthetic:llama-135m").Weights();
        _ = second.Find("model.layers.3.self_attn.q_proj.weight");

        Assert.Equal(Floats(first.Find(Query)!, 5), Floats(second.Find(Query)!, 5));
        Assert.NotEqual(Floats(first.Find(Query)!, 5), Floats(first.Find("model.layers.8.self_attn.q_proj.weight")!, 5));
        Assert.Null(first.Find("lm_head.weight"));
    }

    [Fact]
    public void Weights_are_spread_like_those_of_a_fresh_model()
    {
        var tensor = SyntheticModel.Find("synthetic:llama-135m").Weights().Find("model.layers.0.mlp.up_proj.weight")!;
        var values = Enumerable.Range(0, tensor.Rows).SelectMany(row => Floats(tensor, row)).ToArray();

        Assert.Equal(0, values.Average(), 1e-3);
        Assert.Equal(0.02, Math.Sqrt(values.Average(value => value * value)), 1e-3);
        Assert.All(
            Floats(SyntheticModel.Find("synthetic:llama-135m").Weights().Find("model.norm.weight")!, 0), value => Assert.Equal(1, value));
    }

    [Fact]
    public void A_synthetic_model_loads_like_any_other()
    {
        var options = new ModelRunnerOptions { MaxBatchedTokens = 16, MaxSequences = 2, MaxModelLength = 128 };
        using var model = ModelLoader.Load("synthetic:llama-135m", new RecordingBackend(), options);

        Assert.Equal((49152, 128), (model.Runner.VocabSize, model.Runner.MaxModelLength));
    }

    [Fact]
    public void An_unknown_name_lists_those_there_are()
    {
        var error = Assert.Throws<ArgumentException>(
            () => ModelLoader.Load("synthetic:llama-7b", new RecordingBackend(), new ModelRunnerOptions()));

        Assert.Equal(
            "there is no model 'synthetic:llama-7b'; available: synthetic:llama-135m, synthetic:llama-160m, synthetic:llama-1b, "
            + "synthetic:llama-8b, synthetic:llama-70b, synthetic:moe-135m, each in BF16 or quantized: NAME:gptq, NAME:awq, NAME:w4a16, "
            + "NAME:fp8, NAME:w8a8, NAME:w8a16",
            error.Message);
    }

    [Theory]
    [InlineData("synthetic:llama-1b:int3")]
    [InlineData("synthetic:llama-1b:gptq:awq")]
    [InlineData("synthetic:")]
    public void A_twin_that_there_is_not_is_refused_like_a_name(string source)
    {
        var error = Assert.Throws<ArgumentException>(() => SyntheticModel.Find(source));
        Assert.StartsWith($"there is no model '{source}'; available: ", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("synthetic:llama-1b:gptq", "gptq, 4 bits, groups of 128")]
    [InlineData("synthetic:llama-135m:awq", "awq, 4 bits, groups of 64")]
    [InlineData("synthetic:llama-135m:w4a16", "compressed-tensors, 4 bits, groups of 64")]
    [InlineData("synthetic:llama-135m:fp8", "fp8 E4M3 weights")]
    [InlineData("synthetic:llama-135m:w8a8", "compressed-tensors, 8 bits, a scale per output, inputs rounded to 8 bits")]
    [InlineData("synthetic:llama-135m:w8a16", "compressed-tensors, 8 bits, a scale per output")]
    [InlineData("synthetic:moe-135m", null)]
    public void Every_shape_comes_in_every_format(string source, string? quantization)
    {
        var options = new ModelRunnerOptions { MaxBatchedTokens = 16, MaxSequences = 2, MaxModelLength = 128 };
        var model = SyntheticModel.Find(source);
        using var loaded = ModelLoader.Load(model.Config, model.EmptyWeights(), new RecordingBackend(), options);

        Assert.Equal(quantization, loaded.Config.Quantization?.Description);
        Assert.Equal(source.StartsWith("synthetic:moe", StringComparison.Ordinal), loaded.Config.Moe is { NumExperts: 8 });
    }

    private static float[] Floats(HostTensor tensor, int row)
    {
        var bits = MemoryMarshal.Cast<byte, ushort>(tensor.Row(row)).ToArray();
        GC.KeepAlive(tensor);
        return Array.ConvertAll(bits, value => BitConverter.UInt32BitsToSingle((uint)value << 16));
    }
}
