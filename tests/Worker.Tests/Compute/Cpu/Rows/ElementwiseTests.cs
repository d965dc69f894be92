using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Tests.Compute.Cpu.Rows;

public class ElementwiseTests
{
    private const int Rows = 41, Columns = 147;

    public static TheoryData<int, int> OddShapes => new() { { 1, 1 }, { 2, 15 }, { 3, 17 }, { 5, 64 }, { 7, 131 }, { 2, 577 } };

    [Theory, MemberData(nameof(OddShapes))]
    public void Rms_norm_matches_the_scalar_twin(int rows, int columns)
    {
        var random = new Random(columns);
        float[] x = HostTensors.Random(random, rows * columns, 3), weight = HostTensors.Random(random, columns);
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width);
            var output = device.Empty(rows, columns);
            device.Backend.RmsNorm(device.Floats(x, rows, columns), device.Floats(weight, 1, columns), 1e-5f, output);
            var actual = device.Read(output);
            for (var row = 0; row < rows; row++)
            {
                var expected = ScalarTwin.RmsNorm(
                    Array.ConvertAll(x[(row * columns)..((row + 1) * columns)], v => (double)v), weight, 1e-5);
                AssertClose(expected, actual.AsSpan(row * columns, columns), 2e-6);
            }
        });
    }

    [Theory, MemberData(nameof(OddShapes))]
    public void Add_rms_norm_updates_the_residual_and_normalizes_it(int rows, int columns)
    {
        var random = new Random(columns + 1);
        float[] residual = HostTensors.Random(
            random, rows * columns), x = HostTensors.Random(random, rows * columns), weight = HostTensors.Random(random, columns);
        var sum = residual.Zip(x, (a, b) => a + b).ToArray();
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width);
            var residualTensor = device.Floats(residual, rows, columns);
            var output = device.Empty(rows, columns);
            device.Backend.AddRmsNorm(residualTensor, device.Floats(x, rows, columns), device.Floats(weight, 1, columns), 1e-6f, output);
            Assert.Equal(sum, device.Read(residualTensor));
            var actual = device.Read(output);
            for (var row = 0; row < rows; row++)
            {
                var expected = ScalarTwin.RmsNorm(
                    Array.ConvertAll(sum[(row * columns)..((row + 1) * columns)], v => (double)v), weight, 1e-6);
                AssertClose(expected, actual.AsSpan(row * columns, columns), 2e-6);
            }
        });
    }

    [Fact]
    public void Add_adds()
    {
        var random = new Random(2);
        float[] residual = HostTensors.Random(random, 3 * 37), x = HostTensors.Random(random, 3 * 37);
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width);
            var tensor = device.Floats(residual, 3, 37);
            device.Backend.Add(tensor, device.Floats(x, 3, 37));
            Assert.Equal(residual.Zip(x, (a, b) => a + b), device.Read(tensor));
        });
    }

    [Theory, InlineData(nameof(Activation.Silu)), InlineData(nameof(Activation.Gelu)), InlineData(
        nameof(Activation.GeluTanh)), InlineData(nameof(Activation.Relu)), InlineData(nameof(Activation.Sigmoid)), InlineData(
        nameof(Activation.Relu2))]
    public void Gated_activations_match_the_scalar_twin(string activationName)
    {
        var activation = Enum.Parse<Activation>(activationName);
        var (gate, up, gateUp) = GateAndUp();
        var expected = gate.Zip(up, (g, u) => ScalarTwin.Activate(activation, g) * u).ToArray();
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width);
            var output = device.Empty(Rows, Columns);
            device.Backend.GatedActivation(device.Floats(gateUp, Rows, 2 * Columns), activation, output);
            AssertClose(expected, device.Read(output), 1e-6);
        });
    }

    [Theory, InlineData(7f), InlineData(0.75f)]
    public void Clamped_activations_match_the_scalar_twin(float limit)
    {
        var (gate, up, gateUp) = GateAndUp();
        var expected = gate.Zip(up, (g, u) => ScalarTwin.ClampedActivation(g, 9 * u, limit)).ToArray();
        for (var row = 0; row < Rows; row++)
        {
            foreach (ref var value in gateUp.AsSpan((2 * row + 1) * Columns, Columns))
            {
                value *= 9;
            }
        }

        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width, threads: 2);
            var output = device.Empty(Rows, Columns);
            device.Backend.ClampedActivation(device.Floats(gateUp, Rows, 2 * Columns), limit, output);
            AssertClose(expected, device.Read(output), 2e-6);
        });
    }

    [Theory, InlineData(nameof(DType.F32)), InlineData(nameof(DType.F16)), InlineData(nameof(DType.BF16))]
    public void Embed_looks_rows_up_and_widens_them(string dtypeName)
    {
        var dtype = Enum.Parse<DType>(dtypeName);
        var values = HostTensors.Random(new Random(4), 11 * 19);
        int[] ids = [10, 0, 3, 3, 7];
        using var device = new CpuDevice(VectorWidth.Bits256);
        var table = device.Backend.LoadEmbedding(HostTensors.Of("embed", dtype, values, 11, 19));
        var output = device.Empty(ids.Length, 19);
        device.Backend.Embed(device.Integers(ids.Length, 1, ids), table, output);
        var expected = ids.SelectMany(id => values[(id * 19)..((id + 1) * 19)]).Select(value => HostTensors.Rounded(dtype, value));
        Assert.Equal(expected, device.Read(output));
        Assert.Equal(11 * 19 * dtype.Size(), table.ResidentBytes);
    }

    [Theory, InlineData(nameof(DType.F32)), InlineData(nameof(DType.F16)), InlineData(nameof(DType.BF16))]
    public void A_table_that_is_the_output_matrix_gives_the_same_rows_and_the_same_products(string dtypeName)
    {
        const int Rows = 83, Columns = 19;
        var values = HostTensors.Random(new Random(5), Rows * Columns);
        var source = HostTensors.Of("embed", Enum.Parse<DType>(dtypeName), values, Rows, Columns);
        int[] ids = [82, 0, 31, 32, 33, 15, 16];
        foreach (var width in CpuDevice.Widths)
        {
            using var device = new CpuDevice(width);
            var (table, output) = device.Backend.LoadTied("embed", source, 0, Rows);
            var (end, _) = device.Backend.LoadTied("embed", source, 30, Rows - 30);
            var plain = device.Backend.LoadEmbedding(source);
            var plainEnd = device.Backend.LoadEmbedding(source.RowRange(30, Rows - 30));
            var matrix = device.Backend.LoadLinear("matrix", [source]);
            var chosen = device.Integers(ids.Length, 1, ids);
            var (tied, apart) = (device.Empty(ids.Length, Columns), device.Empty(ids.Length, Columns));
            device.Backend.Embed(chosen, table, tied);
            device.Backend.Embed(chosen, plain, apart);
            Assert.Equal(device.Read(apart), device.Read(tied));

            device.Backend.EmbedShard(chosen, 30, end, tied);
            device.Backend.EmbedShard(chosen, 30, plainEnd, apart);
            Assert.Equal(device.Read(apart), device.Read(tied));
            device.Backend.Embed(chosen, plain, apart);

            var (first, second) = (device.Empty(ids.Length, Rows), device.Empty(ids.Length, Rows));
            device.Backend.Linear(apart, output, first);
            device.Backend.Linear(apart, matrix, second);
            Assert.Equal(device.Read(second), device.Read(first));
            Assert.Equal(0, table.ResidentBytes);
        }
    }

    [Fact]
    public void Gather_copies_the_wanted_rows()
    {
        var values = HostTensors.Random(new Random(6), 9 * 5);
        using var device = new CpuDevice(VectorWidth.Bits256);
        var output = device.Empty(3, 5);
        device.Backend.GatherRows(device.Floats(values, 9, 5), device.Integers(3, 1, 8, 0, 4), output);
        Assert.Equal([.. values[40..45], .. values[0..5], .. values[20..25]], device.Read(output));
    }

    [Fact]
    public void Rows_that_do_not_exist_are_refused()
    {
        using var device = new CpuDevice(VectorWidth.Bits256, threads: 2);
        var table = device.Backend.LoadEmbedding(HostTensors.Of("embed", DType.F32, new float[12], 4, 3));
        var ids = device.Integers(1, 1, 4);
        var (tied, _) = device.Backend.LoadTied("embed", HostTensors.Of("embed", DType.F32, new float[12], 4, 3), 0, 4);
        Assert.Throws<ArgumentOutOfRangeException>(() => device.Backend.Embed(ids, table, device.Empty(1, 3)));
        Assert.Throws<ArgumentOutOfRangeException>(() => device.Backend.Embed(ids, tied, device.Empty(1, 3)));
        Assert.Throws<ArgumentOutOfRangeException>(() => device.Backend.GatherRows(device.Empty(4, 3), ids, device.Empty(1, 3)));
    }

    private static void AssertClose(ReadOnlySpan<double> expected, ReadOnlySpan<float> actual, double tolerance)
    {
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i], actual[i], tolerance * Math.Max(1, Math.Abs(expected[i])));
        }
    }

    /// <summary>-30 … 30 in small steps, an odd number a row, so that vectors and tails both see all magnitudes.</summary>
    private static (float[] Gate, float[] Up, float[] GateUp) GateAndUp()
    {
        var gate = Enumerable.Range(0, Rows * Columns).Select(i => (i - Rows * Columns / 2) * 0.01f).ToArray();
        var up = HostTensors.Random(new Random(3), Rows * Columns);
        var gateUp = new float[2 * Rows * Columns];
        for (var row = 0; row < Rows; row++)
        {
            gate.AsSpan(row * Columns, Columns).CopyTo(gateUp.AsSpan(2 * row * Columns));
            up.AsSpan(row * Columns, Columns).CopyTo(gateUp.AsSpan((2 * row + 1) * Columns));
        }

        return (gate, up, gateUp);
    }
}
