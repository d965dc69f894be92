using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Launch.Interpreter;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Tests.Compute.Cpu.Quantized;
using Cluster.Worker.Tests.Models.Layers;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>The kernels for matrix cores, whose instructions the interpreter takes apart.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class MatrixLinearTests : IDisposable
{
    private readonly BackendUnderTest _device = new(
        new IlgpuBackend(new InterpreterLauncher(1L << 30, waves: 2, hasMatrixCores: true), new IlgpuOptions()));

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

    public void Dispose()
    {
        _device.Dispose();
        _reference.Dispose();
    }
}
