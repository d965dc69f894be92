using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Tests.Compute.Cpu.Rows;

namespace Cluster.Worker.Tests.Compute.Cpu;

/// <summary>The operations that only some architectures need, against their scalar twins.</summary>
public class BlockOperationTests
{
    public static TheoryData<int, int> OddShapes => ElementwiseTests.OddShapes;

    [Theory, MemberData(nameof(OddShapes))]
    public void Layer_norm_matches_the_scalar_twin_also_in_place(int rows, int columns)
    {
        var random = new Random(columns);
        float[] x = [.. HostTensors.Random(random, rows * columns, 3).Select(value => value + 5)];
        float[] weight = HostTensors.Random(random, columns), bias = HostTensors.Random(random, columns);
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width);
            var input = device.Floats(x, rows, columns);
            var output = device.Empty(rows, columns);
            Tensor w = device.Floats(weight, 1, columns), b = device.Floats(bias, 1, columns);
            device.Backend.LayerNorm(input, w, b, 1e-5f, output);
            var actual = device.Read(output);
            for (var row = 0; row < rows; row++)
            {
                var expected = ScalarTwin.LayerNorm(Doubles(x, row, columns), weight, bias, 1e-5);
                AssertClose(expected, actual.AsSpan(row * columns, columns), 5e-6);
            }

            device.Backend.LayerNorm(input, w, b, 1e-5f, input);
            Assert.Equal(actual, device.Read(input));
        });
    }

    [Theory, MemberData(nameof(OddShapes))]
    public void Add_layer_norm_updates_the_residual_and_normalizes_it(int rows, int columns)
    {
        var random = new Random(columns + 1);
        float[] residual = HostTensors.Random(random, rows * columns), x = HostTensors.Random(random, rows * columns);
        float[] weight = HostTensors.Random(random, columns), bias = HostTensors.Random(random, columns);
        var sum = residual.Zip(x, (a, b) => a + b).ToArray();
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width);
            var tensor = device.Floats(residual, rows, columns);
            var output = device.Empty(rows, columns);
            device.Backend.AddLayerNorm(
                tensor, device.Floats(x, rows, columns), device.Floats(weight, 1, columns), device.Floats(bias, 1, columns), 1e-3f, output);
            Assert.Equal(sum, device.Read(tensor));
            var actual = device.Read(output);
            for (var row = 0; row < rows; row++)
            {
                AssertClose(
                    ScalarTwin.LayerNorm(Doubles(sum, row, columns), weight, bias, 1e-3), actual.AsSpan(row * columns, columns), 5e-6);
            }
        });
    }

    [Theory, InlineData(1, 16), InlineData(3, 7), InlineData(5, 40)]
    public void Heads_are_normalized_one_by_one_and_the_others_left_alone(int rows, int headDim)
    {
        const int Heads = 5, First = 1, Count = 3;
        var random = new Random(headDim);
        float[] x = HostTensors.Random(random, rows * Heads * headDim), weight = HostTensors.Random(random, headDim);
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width);
            var tensor = device.Floats(x, rows, Heads * headDim);
            device.Backend.RmsNormHeads(tensor, First, Count, device.Floats(weight, 1, headDim), 1e-6f);
            var actual = device.Read(tensor);
            for (var head = 0; head < rows * Heads; head++)
            {
                var isNormalized = head % Heads is >= First and < First + Count;
                var values = Doubles(x, head, headDim);
                AssertClose(isNormalized ? ScalarTwin.RmsNorm(values, weight, 1e-6) : values, actual.AsSpan(head * headDim, headDim), 2e-6);
            }
        });
    }

    [Theory, InlineData(1, 16), InlineData(3, 7), InlineData(5, 40)]
    public void Heads_are_centred_and_scaled_by_weights_of_their_own(int rows, int headDim)
    {
        const int Heads = 5, First = 1, Count = 3;
        var random = new Random(headDim);
        float[] x = HostTensors.Random(random, rows * Heads * headDim), weight = HostTensors.Random(random, Count * headDim);
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width);
            var tensor = device.Floats(x, rows, Heads * headDim);
            device.Backend.LayerNormHeads(tensor, First, Count, device.Floats(weight, 1, Count * headDim), 1e-5f);
            var actual = device.Read(tensor);
            for (var head = 0; head < rows * Heads; head++)
            {
                var values = Doubles(x, head, headDim);
                if (head % Heads is >= First and < First + Count)
                {
                    var own = weight[((head % Heads - First) * headDim)..][..headDim];
                    values = ScalarTwin.LayerNorm(values, own, new float[headDim], 1e-5);
                }

                AssertClose(values, actual.AsSpan(head * headDim, headDim), 5e-6);
            }
        });
    }

    [Theory, InlineData(1, 1, 0), InlineData(3, 7, 2), InlineData(2, 64, 5), InlineData(5, 130, 33)]
    public void Squares_of_two_ranks_make_the_norm_of_all_features(int rows, int count, int first)
    {
        var random = new Random(count);
        float[] x = HostTensors.Random(random, rows * (first + count + 1), 2), weight = HostTensors.Random(random, count);
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width);
            var (tensor, sums) = (device.Floats(x, rows, first + count + 1), device.Empty(rows, 2));
            device.Backend.SumSquares(tensor, first, count, sums, 1);
            device.Backend.Add(sums, sums);
            device.Backend.RmsScale(tensor, first, device.Floats(weight, 1, count), sums, 1, 2 * count, 1e-6f);
            var actual = device.Read(tensor);
            for (var row = 0; row < rows; row++)
            {
                var values = Doubles(x, row, first + count + 1);
                var expected = ScalarTwin.RmsNorm(values[first..^1], weight, 1e-6);
                AssertClose([.. values[..first], .. expected, values[^1]], actual.AsSpan(row * values.Length, values.Length), 2e-6);
            }
        });
    }

    [Fact]
    public void Columns_that_do_not_exist_are_refused()
    {
        using var device = new CpuDevice(VectorWidth.Bits256);
        var (x, sums) = (device.Empty(2, 32), device.Empty(2, 1));

        var error = Assert.Throws<ArgumentException>(() => device.Backend.SumSquares(x, 30, 3, sums, 0));
        Assert.Equal("output:F32[2,32] has no 3 columns from 30 on", error.Message);
        Assert.Throws<ArgumentException>(() => device.Backend.RmsScale(x, 0, device.Empty(1, 32), sums, 1, 32, 1e-6f));
        Assert.Throws<ArgumentException>(() => device.Backend.LayerNormHeads(x, 2, 3, device.Empty(1, 24), 1e-6f));
    }

    [Theory, InlineData(0.8f, 1.3f, 0.5f, -1e-6f), InlineData(2.5f, 0.4f, -0.25f, -0.75f)]
    public void Xielu_matches_the_scalar_twin(float alphaPositive, float alphaNegative, float beta, float epsilon)
    {
        var scalars = new XieluScalars(alphaPositive, alphaNegative, beta, epsilon);
        InPlace([.. Ramp.Select(x => ScalarTwin.Xielu(scalars, x))], 1e-6, (backend, x) => backend.Xielu(x, scalars));
    }

    [Fact]
    public void Heads_that_do_not_exist_are_refused()
    {
        using var device = new CpuDevice(VectorWidth.Bits256);
        var weight = device.Empty(1, 8);
        var error = Assert.Throws<ArgumentException>(() => device.Backend.RmsNormHeads(device.Empty(2, 32), 2, 3, weight, 1e-6f));
        Assert.Equal("output:F32[2,32] has no 3 heads of 8 from head 2 on", error.Message);
    }

    [Theory, InlineData(nameof(Activation.Silu)), InlineData(nameof(Activation.Gelu)), InlineData(
        nameof(Activation.GeluTanh)), InlineData(nameof(Activation.Relu)), InlineData(nameof(Activation.Sigmoid)), InlineData(
        nameof(Activation.Relu2))]
    public void Plain_activations_match_the_scalar_twin(string activationName)
    {
        var activation = Enum.Parse<Activation>(activationName);
        var expected = Ramp.Select(x => ScalarTwin.Activate(activation, x)).ToArray();
        InPlace(expected, 1e-6, (backend, x) => backend.Activate(x, activation));
    }

    [Theory, InlineData(0.5f), InlineData(30f)]
    public void Soft_caps_match_the_scalar_twin(float cap) =>
        InPlace([.. Ramp.Select(x => cap * Math.Tanh(x / cap))], 5e-7, (backend, x) => backend.SoftCap(x, cap));

    [Fact]
    public void Scaling_multiplies() => InPlace([.. Ramp.Select(x => (double)(x * 55.5f))], 0, (backend, x) => backend.Scale(x, 55.5f));

    [Theory, InlineData(nameof(DType.F32)), InlineData(nameof(DType.BF16))]
    public void Added_embeddings_are_looked_up_and_widened(string dtypeName)
    {
        var dtype = Enum.Parse<DType>(dtypeName);
        var random = new Random(4);
        float[] values = HostTensors.Random(random, 11 * 19), x = HostTensors.Random(random, 4 * 19);
        int[] ids = [10, 0, 3, 3];
        var expected = ids.SelectMany(
            (id, row) => Enumerable.Range(0, 19).Select(i => x[row * 19 + i] + HostTensors.Rounded(dtype, values[id * 19 + i])));
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width, threads: 2);
            var table = device.Backend.LoadEmbedding(HostTensors.Of("positions", dtype, values, 11, 19));
            var output = device.Floats(x, 4, 19);
            device.Backend.AddEmbedding(device.Integers(4, 1, ids), table, output);
            Assert.Equal(expected, device.Read(output));
        });
    }

    /// <summary>Every magnitude, in an odd number of rows, cut into more than one task.</summary>
    private static float[] Ramp { get; } = [.. Enumerable.Range(0, 41 * 447).Select(i => (i - 41 * 447 / 2) * 0.005f)];

    private static void InPlace(double[] expected, double tolerance, Action<Backend, Tensor> operation)
    {
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width, threads: 2);
            var x = device.Floats(Ramp, 41, 447);
            operation(device.Backend, x);
            AssertClose(expected, device.Read(x), tolerance);
        });
    }

    private static double[] Doubles(float[] values, int row, int columns) =>
        Array.ConvertAll(values[(row * columns)..((row + 1) * columns)], value => (double)value);

    private static void AssertClose(ReadOnlySpan<double> expected, ReadOnlySpan<float> actual, double tolerance)
    {
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i], actual[i], tolerance * Math.Max(1, Math.Abs(expected[i])));
        }
    }
}
