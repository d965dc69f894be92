using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Quantization;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Verification;
using Cluster.Worker.Tests.Compute;

namespace Cluster.Worker.Tests.Models.Quantization;

/// <summary>Weights that become codes while they are loaded.</summary>
public sealed class WeightRoundingTests
{
    private const int Outputs = 9;
    private const int Inputs = 149;

    [Theory]
    [InlineData("int8", nameof(DType.BF16)), InlineData("int8", nameof(DType.F16)), InlineData("int8", nameof(DType.F32))]
    [InlineData("fp8", nameof(DType.BF16)), InlineData("fp8", nameof(DType.F32))]
    public void No_code_is_nearer_to_a_weight_than_its_own(string method, string dtype)
    {
        var type = Enum.Parse<DType>(dtype);
        var values = HostTensors.Random(new Random(5), Outputs * Inputs);
        for (var i = 0; i < values.Length; i++)
        {
            // Outputs of all sizes, one of zeros.
            values[i] *= i / Inputs == 4 ? 0 : MathF.Pow(10, (i / Inputs) - 6);
        }

        using var memory = new NativeBlock(Outputs * Inputs);
        var matrix = Round(method, HostTensors.Of("up", type, values, Outputs, Inputs), Inputs, memory);
        for (var output = 0; output < Outputs; output++)
        {
            for (var k = 0; k < Inputs; k++)
            {
                var weight = HostTensors.Rounded(type, values[(output * Inputs) + k]);
                var distance = MathF.Abs(weight - matrix.WeightOf(output, k, Code(matrix, output, k)));
                var best = Enumerable.Range(0, 256).Select(code => matrix.WeightOf(output, k, (byte)code)).Where(float.IsFinite)
                    .Min(other => MathF.Abs(weight - other));
                Assert.InRange(distance, 0, best + (MathF.Abs(weight) * 1e-6f));
            }
        }
    }

    [Theory, InlineData("int8"), InlineData("fp8")]
    public void A_part_of_the_inputs_has_the_weights_of_the_whole(string method)
    {
        var tensor = HostTensors.Of("down", DType.BF16, HostTensors.Random(new Random(6), Outputs * Inputs), Outputs, Inputs);
        using NativeBlock all = new(Outputs * Inputs), some = new(Outputs * 50);
        var (whole, part) = (Round(method, tensor, Inputs, all), Round(method, tensor, new Slice(Inputs, 90, 50), some));
        for (var output = 0; output < Outputs; output++)
        {
            for (var k = 0; k < 50; k++)
            {
                Assert.Equal(
                    whole.WeightOf(output, 90 + k, Code(whole, output, 90 + k)), part.WeightOf(output, k, Code(part, output, k)));
            }
        }
    }

    [Theory, InlineData("int8"), InlineData("fp8")]
    public void Bytes_are_the_codes_that_are_read_one_by_one(string method)
    {
        using var memory = new NativeBlock(Outputs * Inputs);
        var tensor = HostTensors.Of("up", DType.F32, HostTensors.Random(new Random(7), Outputs * Inputs), Outputs, Inputs);
        var matrix = Round(method, tensor, Inputs, memory);
        for (var output = 0; output < Outputs; output++)
        {
            for (var k = 0; k < Inputs; k++)
            {
                Assert.Equal(Code(matrix, output, k), matrix.BytesOf(output)[k] ^ matrix.ByteMask);
            }
        }
    }

    [Theory, InlineData(float.NaN), InlineData(float.NegativeInfinity)]
    public void A_weight_that_no_code_stands_for_is_named(float value)
    {
        var values = HostTensors.Random(new Random(8), Outputs * Inputs);
        values[(3 * Inputs) + 17] = value;
        using var memory = new NativeBlock(Outputs * Inputs);
        var error = Assert.Throws<AggregateException>(
            () => Round("int8", HostTensors.Of("up", DType.F32, values, Outputs, Inputs), Inputs, memory));
        Assert.Equal($"up: weight 17 of output 3 is {value}, which no code stands for", error.InnerException!.Message);
    }

    /// <summary>What a quantizer has made of the same weights, with a scale for each output.</summary>
    [Fact]
    public void Fp8_at_load_gives_the_logits_of_a_checkpoint_in_fp8()
    {
        const float Tolerance = 1e-4f;
        var golden = GoldenFile.Open(QuantizedCheckpoints.Golden("fp8-compressed-tensors"));
        using var model = ModelLoader.Load(Fixtures.Haiku, Backend(), golden.RunnerOptions() with { Quantization = "fp8" });
        var result = GoldenVerification.Run(model.Runner, golden);
        Assert.True(result.Passes(Tolerance), $"{result}");
    }

    [Theory, InlineData("int8"), InlineData("fp8")]
    public void The_perplexity_of_a_model_stays_within_a_thousandth(string method)
    {
        var (actual, expected) = QuantizedGoldenTests.Perplexities(Fixtures.Haiku, DType.F32, method);
        Assert.InRange(actual / expected, 0.999, 1.001);
    }

    /// <summary>As much as of the checkpoints in <see cref="QuantizedGoldenTests.Residence"/>.</summary>
    [Theory, InlineData("int8", 1_306_312), InlineData("fp8", 1_306_312)]
    public void Layers_keep_a_byte_a_weight(string method, long bytes)
    {
        using var model = ModelLoader.Load(Fixtures.Haiku, Backend(), new ModelRunnerOptions { Quantization = method });
        Assert.Equal(bytes, model.ResidentWeightBytes);
        Assert.EndsWith("weights, rounded at load, a scale per output", model.WeightFormat);
    }

    private static CpuBackend Backend() => CpuBackend.Create(new CpuOptions { Threads = 2, MemoryBytes = 1L << 30 });

    private static QuantizedMatrix Round(string method, HostTensor tensor, Slice inputs, NativeBlock memory) =>
        WeightRounding.Of(method, null)!.Round(tensor.Name, tensor, inputs, memory);

    private static byte Code(QuantizedMatrix matrix, int output, int k)
    {
        Span<byte> code = stackalloc byte[1];
        matrix.ReadCodes(k, output, code);
        return code[0];
    }
}
