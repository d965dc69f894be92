using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Layers;
using Cluster.Worker.Models.Quantization;
using Cluster.Worker.Models.Sources;
using Cluster.Worker.Models.Sources.Twins;

namespace Cluster.Worker.Tests.Models.Sources;

/// <summary>Twins in codes against the weights that they round: the readers of the formats, which the goldens check, know no more of the
/// writers than that.</summary>
public sealed class SyntheticTwinTests
{
    private static readonly Dictionary<string, SyntheticTwin> Twins = new SyntheticTwin[]
    {
        new GptqTwin(), new AwqTwin(), new PackedTwin(4), new PackedTwin(8), new Fp8Twin(), new Int8Twin(),
    }.ToDictionary(twin => twin.Name);

    [Theory]
    [InlineData("gptq", "tied", 0.0025f)]
    [InlineData("gptq", "experts", 0.0025f)]
    [InlineData("awq", "tied", 0.0025f)]
    [InlineData("awq", "stretched", 0.0025f)]
    [InlineData("w4a16", "tied", 0.0025f)]
    [InlineData("w4a16", "experts", 0.0025f)]
    [InlineData("w8a16", "tied", 0.00014f)]
    [InlineData("w8a8", "stretched", 0.00014f)]
    [InlineData("fp8", "experts", 0.0013f)]
    public void Codes_stand_for_the_weights_within_half_a_step(string twin, string shape, float tolerance)
    {
        var model = SyntheticModel.Of(TinyShapes.Named(shape), Twins[twin]);
        var plain = SyntheticModel.Of(TinyShapes.Named(shape)).Weights();
        var tensors = new CheckpointTensors(model.Weights());
        var scheme = model.Config.Quantization!;
        var layers = 0;
        foreach (var name in plain.Names.Where(name => name.Contains(".layers.", StringComparison.Ordinal)))
        {
            var expected = plain.Find(name)!;
            var layer = name[..^".weight".Length];
            if (!tensors.Has(layer + scheme.MarkerSuffix))
            {
                Assert.True(expected.Shape.Length == 1 || name.Contains(".gate.", StringComparison.Ordinal), name);
                continue;
            }

            var matrix = scheme.Read(new LayerTensors(tensors, scheme.Method, new WeightPart(layer, expected.Rows), expected.RowLength));
            var weights = WeightReader.ReadAll(expected);
            var decoded = matrix.Decode();
            for (var i = 0; i < weights.Length; i++)
            {
                Assert.Equal(weights[i], decoded[i], tolerance);
            }

            layers++;
        }

        Assert.Equal(TinyShapes.Named(shape).Layers * (TinyShapes.Named(shape).Experts > 0 ? 4 + (3 * 8) : 7), layers);
    }

    [Fact]
    public void Tensors_without_contents_have_the_shapes_of_those_with_them()
    {
        foreach (var twin in Twins.Values)
        {
            var model = SyntheticModel.Of(TinyShapes.Tied, twin);
            var (weights, shapes) = (model.Weights(), model.EmptyWeights());
            Assert.Equal(weights.TotalBytes, weights.Names.Sum(name => weights.Find(name)!.ByteLength));
            Assert.All(weights.Names, name => Assert.Equal(weights.Find(name)!.Shape, shapes.Find(name)!.Shape));
            Assert.False(weights.Has("model.embed_tokens.qweight"));
        }
    }
}
