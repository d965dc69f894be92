using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Checkpoints.Gguf;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Layers;
using Cluster.Worker.Models.Quantization;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Sources;
using Cluster.Worker.Models.Sources.Twins;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Models.Sources;

/// <summary>Synthetic models as files, read back by the loader.</summary>
public sealed class SyntheticFilesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("tied", false)]
    [InlineData("stretched", false)]
    [InlineData("experts", false)]
    [InlineData("tied", true)]
    public async Task A_folder_has_the_weights_and_the_words_of_the_model(string shape, bool quantized)
    {
        var model = SyntheticModel.Of(TinyShapes.Named(shape), quantized ? new PackedTwin(4) : null);
        await WriteAsync(model);

        var (config, weights) = ModelLoader.Open(_folder.Path);

        Assert.Equal(model.Config with { Architecture = config.Architecture, Quantization = null }, config with { Quantization = null });
        Assert.Equal(model.Config.Quantization?.Description, config.Quantization?.Description);
        Assert.Equal(model.Weights().Names.Order(StringComparer.Ordinal), weights.Names.Order(StringComparer.Ordinal));
        foreach (var name in weights.Names)
        {
            var (written, read) = (model.Weights().Find(name)!, weights.Find(name)!);
            Assert.Equal((written.DType, written.ByteLength), (read.DType, read.ByteLength));
            for (var row = 0; row < written.Rows; row++)
            {
                Assert.True(written.Row(row).SequenceEqual(read.Row(row)), $"{name} row {row}");
            }
        }

        Assert.Equal([290, 299], Tokenizer.Load(_folder.Path).Encode(" 290 299", addSpecialTokens: true));
        Assert.NotNull(ChatTemplate.Load(_folder.Path));
    }

    [Theory]
    [InlineData("tied", "F32", 0)]
    [InlineData("tied", "BF16", 0)]
    [InlineData("tied", "F16", 0)]
    [InlineData("stretched", "BF16", 0)]
    [InlineData("experts", "BF16", 0)]
    [InlineData("tied", "Q8_0", 0.00016)]
    [InlineData("experts", "Q8_0", 0.00016)]
    [InlineData("stretched", "Q4_0", 0.0046)]
    public void A_gguf_file_has_the_weights_of_the_model(string shape, string typeName, double tolerance)
    {
        var type = Enum.Parse<GgufType>(typeName);
        var model = SyntheticModel.Of(TinyShapes.Named(shape));
        var path = Path.Combine(_folder.Path, "model.gguf");
        SyntheticGguf.Write(model, type, path);

        var (config, weights) = ModelLoader.Open(path);
        var tensors = new CheckpointTensors(weights);
        var plain = model.Weights();
        Assert.Equal(plain.Names.Count, weights.Names.Count);
        foreach (var name in plain.Names)
        {
            var expected = plain.Find(name)!;
            var found = weights.Find(name) is { } stored
                ? WeightReader.ReadAll(stored)
                : config.Quantization!.Read(
                    new LayerTensors(
                        tensors, config.Quantization.Method, new WeightPart(name[..^".weight".Length], expected.Rows), expected.RowLength))
                    .Decode();
            var values = WeightReader.ReadAll(expected);
            for (var i = 0; i < values.Length; i++)
            {
                // F16 has fewer exponents than BF16.
                Assert.Equal(values[i], found[i], tolerance + (type == GgufType.F16 ? 3e-8 : 0));
            }

            GC.KeepAlive(expected);
        }
    }

    [Theory, InlineData("tied"), InlineData("stretched"), InlineData("experts")]
    public void A_gguf_file_describes_the_model(string shape)
    {
        var model = SyntheticModel.Of(TinyShapes.Named(shape));
        var path = Path.Combine(_folder.Path, "model.gguf");
        SyntheticGguf.Write(model, GgufType.BF16, path);

        var (written, read) = (model.Config, ModelLoader.ConfigOf(path));

        Assert.Equal(
            (written.VocabSize, written.HiddenSize, written.IntermediateSize, written.NumLayers, written.NumHeads, written.NumKvHeads),
            (read.VocabSize, read.HiddenSize, read.IntermediateSize, read.NumLayers, read.NumHeads, read.NumKvHeads));
        Assert.Equal((written.TieWordEmbeddings, written.NormEpsilon, written.MaxLength),
            (read.TieWordEmbeddings, read.NormEpsilon, read.MaxLength));
        Assert.Equal(written.Moe?.NumExperts, read.Moe?.NumExperts);
        Assert.Equal(Frequencies(written), Frequencies(read), (a, b) => MathF.Abs(a - b) <= 1e-6f * a);
        Assert.Equal(written.VocabSize, Tokenizer.Load(path).VocabSize);
    }

    [Fact]
    public void A_twin_in_codes_is_not_rounded_twice()
    {
        var error = Assert.Throws<ArgumentException>(() => SyntheticGguf.Write(
            SyntheticModel.Find("synthetic:llama-135m:gptq"), GgufType.Q4_0, Path.Combine(_folder.Path, "model.gguf")));

        Assert.Equal("synthetic:llama-135m:gptq has the codes of another format; name the model without ':gptq'", error.Message);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    private static float[] Frequencies(ModelConfig config) => config.Rope!.Frequencies(config.MaxLength).InverseFrequencies;

    private async Task WriteAsync(SyntheticModel model)
    {
        foreach (var name in model.Names)
        {
            await File.WriteAllBytesAsync(Path.Combine(_folder.Path, name), model.Read(name));
        }

        CheckpointWriter.Write(Path.Combine(_folder.Path, Checkpoint.SingleFile), model.Weights(), model.EmptyWeights());
    }
}
