using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Tests.Compute.Cpu.Quantized;

public class QuantizedLinearTests
{
    public static MatrixTheoryData<string, (int M, int N, int K)> OddShapes => new(
        QuantizedMatrices.Kinds,
        [(1, 1, 1), (1, 33, 7), (1, 77, 515), (2, 17, 31), (3, 65, 64), (5, 31, 33), (7, 70, 19), (13, 129, 65), (25, 48, 515)]);

    public static TheoryData<string> Kinds => [.. QuantizedMatrices.Kinds];

    [Theory, MemberData(nameof(OddShapes))]
    public void Matches_the_scalar_twin_of_its_inputs_and_has_the_bits_of_the_dequantized_layer_unless_sums_are_scaled(
        string kind, (int M, int N, int K) shape)
    {
        var (m, n, k) = shape;
        var random = new Random(m * 1000 + n * 10 + k);
        var matrix = QuantizedMatrices.Random(kind, random, n, k);
        float[] x = HostTensors.Random(random, m * k), bias = HostTensors.Random(random, n);
        var weights = QuantizedMatrices.Dequantize(matrix);
        var expected = ScalarTwin.Linear(QuantizedMatrices.InputsOf(matrix, x), weights, bias, m, n, k);
        var scale = Math.Max(1, weights.Max(Math.Abs));
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width);
            var biases = new[] { HostTensors.Of("b", DType.F32, bias, n) };
            var actual = Multiply(device, x, m, k, device.Backend.LoadLinear("w", [matrix], biases));
            for (var i = 0; i < expected.Length; i++)
            {
                Assert.Equal(expected[i], actual[i], 1e-6 * (4 + k / 8.0) * scale);
            }

            if (!ScalesSums(matrix))
            {
                var plain = device.Backend.LoadLinear("w", [HostTensors.Of("w", DType.F32, weights, n, k)], biases);
                Assert.Equal(Multiply(device, x, m, k, plain), actual);
            }
        });
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Rounded_inputs_are_off_by_no_more_than_half_a_step_of_the_largest_near_them(string kind)
    {
        const int M = 3, N = 21, K = 515;
        var random = new Random(8);
        var matrix = QuantizedMatrices.Random(kind, random, N, K);

        // Some activations of large models are a thousand times as large as those beside them.
        var x = HostTensors.Random(random, M * K);
        x[7] = 1000;
        var weights = QuantizedMatrices.Dequantize(matrix);
        var expected = ScalarTwin.Linear(x, weights, null, M, N, K);
        using var device = new CpuDevice(VectorWidth.Bits256);
        var actual = Multiply(device, x, M, K, device.Backend.LoadLinear("w", [matrix]));
        for (var i = 0; i < expected.Length; i++)
        {
            var row = x.AsSpan(i / N * K, K).ToArray();
            var size = weights.AsSpan(i % N * K, K).ToArray().Sum(Math.Abs) * row.Max(Math.Abs);
            Assert.Equal(expected[i], actual[i], size * (0.5 / 32767 + 1e-6));
        }
    }

    [Theory, MemberData(nameof(OddShapes))]
    public void Inputs_keep_their_digits_where_that_is_asked_for(string kind, (int M, int N, int K) shape)
    {
        var (m, n, k) = shape;
        var random = new Random(m * 1000 + n * 10 + k);
        var matrix = QuantizedMatrices.Random(kind, random, n, k);
        float[] x = HostTensors.Random(random, m * k), bias = HostTensors.Random(random, n);
        x[0] = 100;
        var weights = QuantizedMatrices.Dequantize(matrix);
        var expected = ScalarTwin.Linear(x, weights, bias, m, n, k);
        var scale = 100 * Math.Max(1, weights.Max(Math.Abs));
        float[]? bits = null;
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width);
            device.Backend.KeepsInputs = true;
            var biases = new[] { HostTensors.Of("b", DType.F32, bias, n) };
            var actual = Multiply(device, x, m, k, device.Backend.LoadLinear("w", [matrix], biases));
            for (var i = 0; i < expected.Length; i++)
            {
                Assert.Equal(expected[i], actual[i], 1e-6 * (1 + k / 128.0) * scale);
            }

            bits ??= actual;
            Assert.Equal(bits, actual);
        });
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Inputs_that_are_no_numbers_spoil_their_own_row_and_zeros_are_exact(string kind)
    {
        const int N = 21, K = 70;
        var random = new Random(9);
        var matrix = QuantizedMatrices.Random(kind, random, N, K);
        var x = HostTensors.Random(random, 4 * K);
        (x[3], x[K + 69]) = (float.NaN, float.NegativeInfinity);
        x.AsSpan(2 * K, K).Clear();
        var bias = HostTensors.Random(random, N);
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width);
            var actual = Multiply(
                device, x, 4, K, device.Backend.LoadLinear("w", [matrix], [HostTensors.Of("b", DType.F32, bias, N)]));
            Assert.All(actual[..N], value => Assert.True(float.IsNaN(value)));
            Assert.All(actual[N..(2 * N)], value => Assert.False(float.IsFinite(value)));
            Assert.Equal(bias, actual[(2 * N)..(3 * N)]);
            Assert.All(actual[(3 * N)..], value => Assert.True(float.IsFinite(value)));
        });
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_row_has_the_same_bits_alone_in_any_batch_at_any_width_and_thread_count(string kind)
    {
        const int Rows = 140, N = 77, K = 1041;
        var random = new Random(11);
        var matrix = QuantizedMatrices.Random(kind, random, N, K);
        float[] x = HostTensors.Random(random, Rows * K), bias = HostTensors.Random(random, N);
        float[]? reference = null;
        Assert.All(CpuDevice.Widths, width =>
        {
            foreach (var threads in new[] { 1, 3 })
            {
                using var device = new CpuDevice(width, threads);
                var weight = device.Backend.LoadLinear("w", [matrix], [HostTensors.Of("b", DType.F32, bias, N)]);
                reference ??= [
                    .. Enumerable.Range(0, Rows).SelectMany(row => Multiply(device, x[(row * K)..((row + 1) * K)], 1, K, weight))];
                foreach (var batch in new[] { 2, 3, 7, 29, Rows })
                {
                    var first = (Rows - batch) / 2;
                    var actual = Multiply(device, x[(first * K)..((first + batch) * K)], batch, K, weight);
                    Assert.Equal(reference[(first * N)..((first + batch) * N)], actual);
                }
            }
        });
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Parts_stack_even_where_each_orders_its_groups_differently(string kind)
    {
        const int M = 3, K = 40;
        var random = new Random(5);
        QuantizedMatrix[] parts = [.. new[] { 19, 5, 7 }.Select(rows => QuantizedMatrices.Random(kind, random, rows, K))];
        HostTensor[] biases = [
            .. parts.Select(part => HostTensors.Of("b", DType.F32, HostTensors.Random(random, part.OutFeatures), part.OutFeatures))];
        var x = HostTensors.Random(random, M * K);
        float[] weights = [.. parts.SelectMany(QuantizedMatrices.Dequantize)], bias = [.. biases.SelectMany(WeightReader.ReadAll)];
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width, threads: 2);
            var weight = device.Backend.LoadLinear("qkv", parts, biases);
            Assert.Equal((K, 31), (weight.InFeatures, weight.OutFeatures));
            var plain = device.Backend.LoadLinear(
                "qkv", [HostTensors.Of("w", DType.F32, weights, 31, K)], [HostTensors.Of("b", DType.F32, bias, 31)]);
            AssertNear(Multiply(device, x, M, K, plain), Multiply(device, x, M, K, weight));
        });
    }

    [Fact]
    public void Parts_of_different_widths_stack_as_mixed_precision_has_them()
    {
        const int M = 2, K = 37;
        var random = new Random(6);
        QuantizedMatrix[] parts = [
            .. new[] { "4 bits", "8 bits", "fp8", "4 bits, bf16 scales", "mxfp4" }.Select(
                (kind, i) => QuantizedMatrices.Random(kind, random, 5 + i, K))];
        var x = HostTensors.Random(random, M * K);
        float[] weights = [.. parts.SelectMany(QuantizedMatrices.Dequantize)];
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width);
            var plain = device.Backend.LoadLinear("w", [HostTensors.Of("w", DType.F32, weights, 35, K)]);
            AssertNear(Multiply(device, x, M, K, plain), Multiply(device, x, M, K, device.Backend.LoadLinear("w", parts)));
        });
    }

    [Theory]
    [InlineData("fp8", 1, 4)]
    [InlineData("4 bits, groups of 64", 0.5, 4 * 8)]
    [InlineData("8 bits, groups of 64", 1, 4 * 8)]
    [InlineData("lookup", 0.5, 32)]
    [InlineData("fp8 blocks", 1, 36)] // In each panel of 16 outputs a place of 4, and room for 4 blocks with 32 groups.
    [InlineData("mxfp4", 0.5, 16)]
    public void Codes_stay_as_small_as_they_were(string kind, double bytesPerCode, int tableBytesPerOutput)
    {
        // Groups of whole words, which are not filled up.
        const int N = 64, K = 512;
        using var device = new CpuDevice(VectorWidth.Bits256);
        var weight = device.Backend.LoadLinear("w", [QuantizedMatrices.Random(kind, new Random(1), N, K)]);

        var groups = kind switch
        {
            "lookup" => 0,
            "fp8" => 2 * K / 256 * sizeof(int),
            "mxfp4" => 2 * K / 32 * sizeof(int),
            "fp8 blocks" => 2 * K / 16 * sizeof(int),
            _ => 2 * K / 64 * sizeof(int),
        };
        Assert.Equal((long)(N * K * bytesPerCode) + (N * tableBytesPerOutput) + (N * sizeof(float)) + groups, weight.ResidentBytes);
    }

    [Fact]
    public void A_steady_decode_step_allocates_nothing()
    {
        using var device = new CpuDevice(VectorWidth.Bits256, threads: 2);
        var weight = device.Backend.LoadLinear("w", [QuantizedMatrices.Random("4 bits", new Random(1), 64, 64)]);
        Tensor input = device.Empty(1, 64), output = device.Empty(1, 64);
        long before = 0;
        for (var step = 0; step < 20; step++)
        {
            before = step == 10 ? GC.GetAllocatedBytesForCurrentThread() : before;
            device.Backend.Linear(input, weight, output);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Parts_that_do_not_stack_are_refused()
    {
        using var device = new CpuDevice(VectorWidth.Scalar);
        var random = new Random(1);
        QuantizedMatrix q = QuantizedMatrices.Random("4 bits", random, 2, 16), k = QuantizedMatrices.Random("4 bits", random, 2, 24);
        var error = Assert.Throws<ArgumentException>(() => device.Backend.LoadLinear("qkv", [q, k]));
        Assert.Equal("'grouped' has 24 inputs; linear layer 'qkv' needs 16", error.Message);
        error = Assert.Throws<ArgumentException>(
            () => device.Backend.LoadLinear("qkv", [q], [HostTensors.Of("b", DType.F32, new float[3], 3)]));
        Assert.Equal("tensor 'b' has shape [3]; the bias of 'grouped' needs [2]", error.Message);
        Assert.Throws<ArgumentException>(() => device.Backend.LoadLinear("qkv", [q], []));
    }

    /// <summary>Whether codes are multiplied as they are, so that rounding happens elsewhere than in the dequantized layer.</summary>
    private static bool ScalesSums(QuantizedMatrix matrix) =>
        matrix.Kind is not QuantizedKind.Lookup;

    private static void AssertNear(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        var scale = Math.Max(1, expected.Max(Math.Abs));
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 1e-4 * scale));
    }

    private static float[] Multiply(CpuDevice device, float[] x, int rows, int inFeatures, LinearWeight weight)
    {
        var output = device.Empty(rows, weight.OutFeatures);
        device.Backend.Linear(device.Floats(x, rows, inFeatures), weight, output);
        return device.Read(output);
    }
}
