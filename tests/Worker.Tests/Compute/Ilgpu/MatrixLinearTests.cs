using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Tests.Compute.Cpu.Quantized;
using Cluster.Worker.Tests.Compute.Ilgpu.Drivers;
using Cluster.Worker.Tests.Models.Layers;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>The kernels for matrix cores, on a fake AMD GPU that has them.</summary>
[Trait(Category.Name, Category.Interpreter)]
public sealed class MatrixLinearTests : IDisposable
{
    private readonly BackendUnderTest _device = Create();

    private readonly BackendUnderTest _reference = new(new ReferenceBackend());

    [Theory]
    [InlineData("BF16", 3, 17, 33)]
    [InlineData("F32", 17, 5, 9)]
    [InlineData("4 bits", 2, 18, 40)]
    [InlineData("fp8", 1, 16, 19)]
    public void A_tile_is_that_of_the_reference_and_rows_have_the_bits_they_have_alone(string kind, int rows, int outputs, int inputs)
    {
        var random = new Random(outputs);
        float[] x = HostTensors.Random(random, rows * inputs), bias = HostTensors.Random(random, outputs);
        var codes = Enum.TryParse<DType>(kind, out var dtype) ? null : QuantizedMatrices.Random(kind, random, outputs, inputs);
        var plain = HostTensors.Random(random, outputs * inputs);
        float[] Multiply(BackendUnderTest device, float[] input, int count)
        {
            var output = device.Empty(count, outputs);
            HostTensor[] biases = [HostTensors.Of("b", DType.F32, bias, outputs)];
            device.Backend.Linear(
                device.Floats(input, count, inputs),
                codes is null
                    ? device.Backend.LoadLinear("w", [HostTensors.Of("w", dtype, plain, outputs, inputs)], biases)
                    : device.Backend.LoadLinear("w", (QuantizedMatrix[])[codes], biases),
                output);
            return device.Read(output);
        }

        var actual = Multiply(_device, x, rows);

        Assert.Equal(Multiply(_reference, x, rows), actual, (expected, one) => Math.Abs(expected - one) <= 2e-4);
        Assert.Equal(Multiply(_device, x[^inputs..], 1), actual[^outputs..]);
    }

    /// <summary>Rows that share weights, in registers or in shared memory, against each of them alone.</summary>
    [Theory]
    [InlineData("BF16", false, 24, 18, 40)]
    [InlineData("BF16", false, 66, 20, 768)]
    [InlineData("BF16", true, 50, 33, 96)]
    [InlineData("BF16", true, 66, 20, 768)]
    [InlineData("F16", true, 70, 19, 768)]
    [InlineData("F16", false, 20, 5, 36)]
    [InlineData("4 bits", false, 36, 18, 80)]
    [InlineData("fp8", true, 20, 16, 20)]
    [InlineData("4 bits", true, 66, 20, 512)]
    [InlineData("fp8", true, 70, 18, 512)]
    public void Many_rows_have_the_bits_that_each_has_alone(string kind, bool rounds, int rows, int outputs, int inputs)
    {
        using var device = Create(rounds);
        var random = new Random(outputs);
        float[] x = HostTensors.Random(random, rows * inputs), plain = HostTensors.Random(random, outputs * inputs);
        var codes = Enum.TryParse<DType>(kind, out var dtype) ? null : QuantizedMatrices.Random(kind, random, outputs, inputs);
        LinearWeight Load(BackendUnderTest on) => codes is null
            ? on.Backend.LoadLinear("w", [HostTensors.Of("w", dtype, plain, outputs, inputs)])
            : on.Backend.LoadLinear("w", (QuantizedMatrix[])[codes]);
        float[] Multiply(BackendUnderTest on, LinearWeight weight, float[] input)
        {
            var output = on.Empty(input.Length / inputs, outputs);
            on.Backend.Linear(on.Floats(input, output.Rows, inputs), weight, output);
            return on.Read(output);
        }

        var weight = Load(device);
        var actual = Multiply(device, weight, x);

        // Rounded inputs and decoded codes are off by a bit of bf16 each.
        var tolerance = rounds ? 2e-2 * Math.Sqrt(inputs) : 2e-4;
        Assert.Equal(Multiply(_reference, Load(_reference), x), actual, (expected, one) => Math.Abs(expected - one) <= tolerance);
        foreach (var row in (int[])[0, 17, rows - 1])
        {
            Assert.Equal(
                Multiply(device, weight, x[(row * inputs)..((row + 1) * inputs)]), actual[(row * outputs)..((row + 1) * outputs)]);
        }

        var half = rows / 2;
        Assert.Equal(Multiply(device, weight, x[..(half * inputs)]), actual[..(half * outputs)]);
    }

    [Theory, InlineData(3)]
    public void A_router_with_the_choice_has_the_bits_of_one_after_the_other(int rows) => Assert.Equal(
        RouterRun.Run(_device, rows, asOne: false), RouterRun.Run(_device, rows, asOne: true));

    [Fact]
    public void Routed_rows_are_multiplied_by_their_own_expert()
    {
        const int Tokens = 5, NumExperts = 3, Inputs = 12, Outputs = 18;
        var random = new Random(6);
        var x = HostTensors.Random(random, Tokens * Inputs);
        int[] chosen = [.. Enumerable.Range(0, Tokens).SelectMany(token => new[] { token % NumExperts, (token + 1) % NumExperts })];
        var weights = Enumerable.Range(0, NumExperts)
            .Select(_ => HostTensors.Of("w", DType.BF16, HostTensors.Random(random, Outputs * Inputs), Outputs, Inputs)).ToArray();
        float[] Multiply(BackendUnderTest device)
        {
            var output = device.Empty(2 * Tokens, Outputs);
            device.Backend.ExpertLinear(
                device.Floats(x, Tokens, Inputs), device.Integers(Tokens, 2, chosen),
                device.Backend.LoadExperts("experts", [.. weights.Select(weight => device.Backend.LoadLinear("w", [weight]))]), output);
            return device.Read(output);
        }

        Assert.Equal(Multiply(_reference), Multiply(_device), (expected, actual) => Math.Abs(expected - actual) <= 1e-5);
    }

    [Theory]
    [InlineData("BF16", false, 3, 32, 24)]
    [InlineData("BF16", true, 17, 16, 40)]
    [InlineData("BF16", false, 2, 24, 24)]
    [InlineData("4 bits", false, 5, 16, 36)]
    public void A_gated_layer_has_the_bits_of_layer_and_activation(string kind, bool rounds, int rows, int half, int inputs)
    {
        using var device = Create(rounds);
        var random = new Random(half);
        var x = device.Floats(HostTensors.Random(random, rows * inputs), rows, inputs);
        var weight = Enum.TryParse<DType>(kind, out var dtype)
            ? device.Backend.LoadLinear(
                "w", [HostTensors.Of("w", dtype, HostTensors.Random(random, 2 * half * inputs), 2 * half, inputs)],
                [HostTensors.Of("b", DType.F32, HostTensors.Random(random, 2 * half), 2 * half)])
            : device.Backend.LoadLinear("w", (QuantizedMatrix[])[QuantizedMatrices.Random(kind, random, 2 * half, inputs)]);
        Tensor between = device.Empty(rows, 2 * half), output = device.Empty(rows, half), expected = device.Empty(rows, half);
        foreach (var activation in (Activation[])[Activation.Silu, Activation.GeluTanh])
        {
            device.Backend.Linear(x, weight, between);
            device.Backend.GatedActivation(between, activation, expected);
            device.Backend.GatedLinear(x, weight, activation, between, output);

            Assert.Equal(device.Read(expected), device.Read(output));
        }
    }

    public void Dispose()
    {
        _device.Dispose();
        _reference.Dispose();
    }

    private static BackendUnderTest Create(bool rounds = false) => new(HipFixture.Make(new IlgpuOptions { RoundsActivations = rounds }));
}
