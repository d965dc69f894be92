using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Tests.Compute.Cpu.Quantized;
using Cluster.Worker.Tests.Compute.Ilgpu.Drivers;
using Cluster.Worker.Tests.Models.Layers;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>Experts by matrix instructions of warps, as PTX on a fake NVIDIA GPU.</summary>
[Trait(Category.Name, Category.Interpreter)]
public sealed class WarpExpertsTests
{
    private const int NumExperts = 3;

    /// <summary>Numbers of tokens that give experts tiles of one times 8 rows, four times, and eight times; a row of inputs for each
    /// routed row, or for each token; weights that no matrix instruction takes.</summary>
    [Theory]
    [InlineData("BF16", false, 5, 40, true, "WarpLinear", "OneTile")]
    [InlineData("BF16", true, 50, 36, true, "WarpLinear", "EightTiles")]
    [InlineData("fp8", true, 13, 40, false, "WarpLinear", "FourTiles")]
    [InlineData("4 bits, groups of 64", true, 6, 128, true, "WarpLinear", "OneTile")]
    [InlineData("F32", true, 5, 12, true, "Linear", "QuadInput")]
    public void A_routed_row_has_the_bits_that_its_expert_gives_it_as_a_layer(
        string kind, bool rounds, int tokens, int inputs, bool shared, string kernels, string like)
    {
        const int Chosen = 2, Outputs = 35;
        var launcher = new CountingLauncher(CudaFixture.Launcher());
        using var device = new BackendUnderTest(new IlgpuBackend(launcher, new IlgpuOptions { RoundsActivations = rounds }));
        var load = Experts(kind, Outputs, inputs);

        // Expert 0 has as many rows as there are tokens, the others share the rest.
        var random = new Random(tokens);
        int[] chosen = [.. Enumerable.Range(0, tokens).SelectMany(_ => new[] { 0, random.Next(1, NumExperts) })];
        var x = HostTensors.Random(random, tokens * (shared ? 1 : Chosen) * inputs);
        var output = device.Empty(tokens * Chosen, Outputs);
        device.Backend.ExpertLinear(
            device.Floats(x, x.Length / inputs, inputs), device.Integers(tokens, Chosen, chosen),
            device.Backend.LoadExperts("experts", [.. Enumerable.Range(0, NumExperts).Select(expert => load(device.Backend, expert))]),
            output);
        var actual = device.Read(output).Chunk(Outputs).ToArray();

        Assert.Contains(
            launcher.Launched,
            name => name.StartsWith($"{kernels}.MultiplyExperts(", StringComparison.Ordinal)
                && name.Contains(like, StringComparison.Ordinal));
        var layers = Enumerable.Range(0, NumExperts)
            .Select(expert => Multiply(device, load(device.Backend, expert), x).Chunk(Outputs).ToArray()).ToArray();
        for (var routed = 0; routed < actual.Length; routed++)
        {
            Assert.Equal(layers[chosen[routed]][shared ? routed / Chosen : routed], actual[routed]);
        }

        Near(load, expert: 0, x, layers[0], rounds, inputs);
        Assert.Equal("", CudaFixture.Text);
    }

    [Theory, InlineData("BF16", false, 3, 40), InlineData("fp8", true, 11, 36)]
    public void A_head_has_the_bits_that_it_has_as_a_layer(string kind, bool rounds, int tokens, int inputs)
    {
        const int Outputs = 20;
        using var device = new BackendUnderTest(CudaFixture.Make(new IlgpuOptions { RoundsActivations = rounds }));
        var load = Experts(kind, Outputs, inputs);
        var x = HostTensors.Random(new Random(inputs), tokens * NumExperts * inputs);
        var output = device.Empty(tokens, NumExperts * Outputs);
        device.Backend.HeadLinear(
            device.Floats(x, tokens, NumExperts * inputs),
            device.Backend.LoadExperts("heads", [.. Enumerable.Range(0, NumExperts).Select(head => load(device.Backend, head))]), output);
        var actual = device.Read(output).Chunk(Outputs).ToArray();

        for (var head = 0; head < NumExperts; head++)
        {
            var own = x.Chunk(inputs).Where((_, row) => row % NumExperts == head).SelectMany(row => row).ToArray();
            var layer = Multiply(device, load(device.Backend, head), own).Chunk(Outputs).ToArray();

            Assert.Equal(layer, actual.Where((_, row) => row % NumExperts == head));
            Near(load, head, own, layer, rounds, inputs);
        }
    }

    /// <summary>A few rows at a time, which is one kernel for all tests.</summary>
    private static float[] Multiply(BackendUnderTest device, LinearWeight weight, float[] x) =>
    [
        .. x.Chunk(8 * weight.InFeatures).SelectMany(rows =>
        {
            var output = device.Empty(rows.Length / weight.InFeatures, weight.OutFeatures);
            device.Backend.Linear(device.Floats(rows, output.Rows, weight.InFeatures), weight, output);
            return device.Read(output);
        }),
    ];

    /// <param name="kind">A type, or how codes are made.</param>
    private static Func<Backend, int, LinearWeight> Experts(string kind, int outputs, int inputs) => (backend, expert) =>
    {
        var random = new Random(expert);
        HostTensor[] biases = [HostTensors.Of("b", DType.F32, HostTensors.Random(random, outputs), outputs)];
        return Enum.TryParse<DType>(kind, out var dtype)
            ? backend.LoadLinear("w", [HostTensors.Of("w", dtype, HostTensors.Random(random, outputs * inputs), outputs, inputs)], biases)
            : backend.LoadLinear("w", (QuantizedMatrix[])[QuantizedMatrices.Random(kind, random, outputs, inputs)], biases);
    };

    /// <summary>Rounded inputs and decoded codes are off by a bit of bf16 each.</summary>
    private static void Near(
        Func<Backend, int, LinearWeight> load, int expert, float[] x, float[][] actual, bool rounds, int inputs)
    {
        using var reference = new BackendUnderTest(new ReferenceBackend());
        var tolerance = rounds ? 2e-2 * Math.Sqrt(inputs) : 2e-4;
        Assert.Equal(
            Multiply(reference, load(reference.Backend, expert), x), actual.SelectMany(row => row),
            (expected, one) => Math.Abs(expected - one) <= tolerance);
    }
}
