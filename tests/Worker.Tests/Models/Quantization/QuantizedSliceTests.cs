using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Layers;
using Cluster.Worker.Models.Quantization;
using Cluster.Worker.Tests.Compute.Cpu.Quantized;

namespace Cluster.Worker.Tests.Models.Quantization;

/// <summary>A rank's part of a quantized layer has the weights that the whole layer has there, wherever the layout lets it be
/// cut.</summary>
public sealed class QuantizedSliceTests
{
    private const string Layer = "model.layers.1.mlp.down_proj";
    private const int Out = 128;
    private const int In = 384;

    public static TheoryData<string> Names => [.. QuantizedCheckpoints.Haiku];

    /// <summary>Along the inputs a rank's part begins or ends within a group, too: groups are of 32.</summary>
    [Theory, MemberData(nameof(Names))]
    public void A_part_has_the_weights_of_the_whole(string name)
    {
        var whole = QuantizedMatrices.Dequantize(Read(name, Out, In));
        Assert.All(new[] { Out, new Slice(Out, 64, 64), new Slice(Out, 8, 24) }, outputs =>
        {
            foreach (var inputs in new[] { In, new Slice(In, 192, 96), new Slice(In, 40, 56), new Slice(In, 376, 8) })
            {
                var part = QuantizedMatrices.Dequantize(Read(name, outputs, inputs));

                var expected = from n in Enumerable.Range(outputs.First, outputs.Count)
                               from k in Enumerable.Range(inputs.First, inputs.Count)
                               select whole[(n * In) + k];
                Assert.Equal(expected, part);
            }
        });
    }

    [Theory, InlineData("ct-w4a16"), InlineData("ct-w4a16-asym"), InlineData("ct-w8a16"), InlineData("ct-w8a8"), InlineData("fp8-block")]
    public void A_part_may_begin_within_a_word_a_group_or_a_block(string name)
    {
        var whole = QuantizedMatrices.Dequantize(Read(name, Out, In));
        var part = QuantizedMatrices.Dequantize(Read(name, new Slice(Out, 3, 18), new Slice(In, 125, 37)));

        var expected = from n in Enumerable.Range(3, 18)
                       from k in Enumerable.Range(125, 37)
                       select whole[(n * In) + k];
        Assert.Equal(expected, part);
    }

    [Theory, InlineData("gptq", 2), InlineData("awq", 3)]
    public void A_part_keeps_the_groups_that_its_inputs_are_in(string name, int groups)
    {
        Assert.Equal(groups, ((GroupedMatrix)Read(name, Out, new Slice(In, 64, 32 * (groups - 1) + 8))).Groups);
    }

    [Theory]
    [InlineData("gptq", 4, "tensor '" + Layer + ".qweight' cannot be cut at inputs 4 and 12: they come in 8s")]
    [InlineData("squeezellm", 12, "tensor '" + Layer + ".qweight' cannot be cut at inputs 12 and 20: they come in 8s")]
    public void A_cut_through_a_word_is_refused(string name, int first, string message)
    {
        Assert.Contains(message, Assert.Throws<CheckpointFormatException>(() => Read(name, Out, new Slice(In, first, 8))).Message);
    }

    private static QuantizedMatrix Read(string name, Slice outputs, Slice inputs)
    {
        var folder = QuantizedCheckpoints.Folder(name);
        var scheme = ModelConfig.Load(folder).Quantization!;
        return scheme.Read(new LayerTensors(new CheckpointTensors(Checkpoint.Open(folder)), scheme.Method, new WeightPart(Layer, outputs), inputs));
    }
}
