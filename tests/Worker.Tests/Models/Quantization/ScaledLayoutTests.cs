using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Layers;
using Cluster.Worker.Tests.Compute;

namespace Cluster.Worker.Tests.Models.Quantization;

/// <summary>FP8 in blocks and MXFP4, at sizes that fill no block, whole and cut anywhere.</summary>
public sealed class ScaledLayoutTests
{
    private static readonly float[] E2M1 = [0, 0.5f, 1, 1.5f, 2, 3, 4, 6];

    private readonly Random _random = new(23);

    public static TheoryData<string, string> BlockSchemes => new()
    {
        { """{"quant_method":"fp8","activation_scheme":"dynamic","fmt":"e4m3","weight_block_size":[8,12]}""", ".weight_scale_inv" },
        {
            """{"quant_method":"compressed-tensors","format":"float-quantized","config_groups":{"g":{"targets":["Linear"],"weights":{"num_bits":8,"type":"float","strategy":"block","block_structure":[8,12]}}}}""",
            ".weight_scale"
        },
    };

    [Theory, MemberData(nameof(BlockSchemes))]
    public void Scales_are_those_of_the_block_wherever_outputs_and_inputs_are_cut(string json, string suffix)
    {
        const int In = 45, Out = 19;
        var codes = new byte[Out * In];
        for (var i = 0; i < codes.Length; i++)
        {
            codes[i] = (byte)_random.Next(0x7F);
        }

        var scales = HostTensors.Random(_random, 3 * 4);
        HostTensor[] tensors =
        [
            HostTensors.Raw("x.weight", DType.F8E4M3, codes, Out, In), HostTensors.Of("x" + suffix, DType.F32, scales, 3, 4),
        ];
        Slice[] outputs = [Out, new Slice(Out, 3, 10), new Slice(Out, 16, 3)];
        Slice[] inputs = [In, new Slice(In, 13, 21), new Slice(In, 36, 9)];
        Assert.All(outputs, kept => Assert.All(inputs, taken => QuantizedLayouts.AssertWeights(
            QuantizedLayouts.Read(QuantizedLayouts.Scheme(json), new WeightPart("x", kept), taken, tensors),
            (n, k) =>
            {
                int output = kept.First + n, input = taken.First + k;
                return Fp8Oracle.E4M3.Value(codes[output * In + input]) * scales[output / 8 * 4 + input / 12];
            })));
    }

    [Fact]
    public void Experts_of_mxfp4_lie_in_one_tensor_and_their_gates_and_ups_between_each_other()
    {
        const int Experts = 3, Out = 7, In = 96, Groups = In / 32;
        var codes = new byte[Experts, 2 * Out, In];
        var blocks = new byte[Experts * 2 * Out * In / 2];
        var scales = new byte[Experts * 2 * Out * Groups];
        var at = 0;
        for (var row = 0; row < Experts * 2 * Out; row++)
        {
            for (var k = 0; k < In; k++, at++)
            {
                var code = codes[row / (2 * Out), row % (2 * Out), k] = (byte)_random.Next(16);
                blocks[at / 2] |= (byte)(code << (4 * (k % 2)));
            }
        }

        for (var i = 0; i < scales.Length; i++)
        {
            scales[i] = (byte)_random.Next(110, 135);
        }

        scales[0] = 0;
        HostTensor[] tensors =
        [
            HostTensors.Raw("x_blocks", DType.U8, blocks, Experts, 2 * Out, Groups, 16),
            HostTensors.Raw("x_scales", DType.U8, scales, Experts, 2 * Out, Groups),
        ];
        var scheme = QuantizedLayouts.Scheme("""{"quant_method":"mxfp4"}""");
        Slice[] outputs = [Out, new Slice(Out, 2, 4)];
        Slice[] inputs = [In, new Slice(In, 48, 48), new Slice(In, 27, 11)];
        for (var expert = 0; expert < Experts; expert++)
        {
            foreach (var offset in new[] { 0, 1 })
            {
                Assert.All(outputs, kept => Assert.All(inputs, taken =>
                {
                    var part = new WeightPart("x", kept) { Expert = expert, Experts = Experts, Step = 2, Offset = offset };
                    QuantizedLayouts.AssertWeights(QuantizedLayouts.Read(scheme, part, taken, tensors), (n, k) =>
                    {
                        int output = 2 * (kept.First + n) + offset, input = taken.First + k;
                        var code = codes[expert, output, input];
                        var scale = scales[(expert * 2 * Out + output) * Groups + input / 32];
                        return (code < 8 ? E2M1[code] : -E2M1[code - 8]) * MathF.ScaleB(1, scale - 127);
                    });
                }));
            }
        }
    }

    [Fact]
    public void A_scale_of_mxfp4_must_be_a_number()
    {
        var scales = new byte[2 * 3];
        scales[4] = 255;
        var error = Assert.Throws<CheckpointFormatException>(() => Read(
            new WeightPart("x", 3) { Expert = 1, Experts = 2 },
            HostTensors.Raw("x_blocks", DType.U8, new byte[2 * 3 * 16], 2, 3, 1, 16),
            HostTensors.Raw("x_scales", DType.U8, scales, 2, 3, 1)));

        Assert.Contains("tensor 'x_scales' has NaN (255) at output 1; every scale must be a number", error.Message);
    }

    [Fact]
    public void Other_layers_than_experts_are_refused_in_mxfp4_and_experts_of_one_tensor_elsewhere()
    {
        var error = Assert.Throws<CheckpointFormatException>(() => Read(new WeightPart("x", 3)));
        Assert.Contains("'x' is quantized by mxfp4, and no tensor of all experts; supported: those", error.Message);

        error = Assert.Throws<CheckpointFormatException>(() => QuantizedLayouts.Read(
            QuantizedLayouts.Scheme("""{"quant_method":"fp8","activation_scheme":"dynamic"}"""),
            new WeightPart("x", 3) { Expert = 0, Experts = 2 },
            32));
        Assert.Contains("'x' holds all experts, and config.json quantizes it by fp8; supported: a matrix for each expert", error.Message);
    }

    private static void Read(WeightPart part, params HostTensor[] tensors) =>
        QuantizedLayouts.Read(QuantizedLayouts.Scheme("""{"quant_method":"mxfp4"}"""), part, 32, tensors);
}
