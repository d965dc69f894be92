using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Tests.Compute.Cpu.Quantized;

/// <summary>Layers whose inputs are rounded to bytes (W8A8).</summary>
public class IntegerLinearTests
{
    private static readonly IntegerInputs OwnScales = new(Scale: null);

    public static MatrixTheoryData<string, (int M, int N, int K)> OddShapes => new(
        [nameof(DType.F16), nameof(DType.BF16), nameof(DType.F32)],
        [(1, 1, 1), (1, 33, 7), (1, 77, 515), (2, 17, 31), (3, 65, 64), (5, 31, 33), (7, 70, 19), (13, 129, 65), (25, 48, 2115)]);

    [Theory, MemberData(nameof(OddShapes))]
    public void Bytes_that_stand_for_inputs_are_multiplied_exactly(string dtype, (int M, int N, int K) shape)
    {
        var (m, n, k) = shape;
        var random = new Random(m * 1000 + n * 10 + k);
        var matrix = QuantizedMatrices.Integers(random, Enum.Parse<DType>(dtype), n, k, OwnScales);
        var bias = HostTensors.Random(random, n);

        // A power of two a row, and a largest byte: what rounding finds again, whichever way it computes.
        var bytes = Enumerable.Range(0, m * k).Select(i => i % k == k / 2 ? 127 : random.Next(-127, 128)).ToArray();
        float[] x = [.. bytes.Select((value, i) => MathF.ScaleB(value, (i / k % 5) - 9))];
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width);
            var weight = device.Backend.LoadLinear("w", [matrix], [HostTensors.Of("b", DType.F32, bias, n)]);
            var actual = Multiply(device, x, m, k, weight);
            var codes = new byte[n];
            var sums = new long[m, n];
            for (var input = 0; input < k; input++)
            {
                matrix.ReadCodes(input, 0, codes);
                for (var row = 0; row < m; row++)
                {
                    for (var output = 0; output < n; output++)
                    {
                        sums[row, output] += (codes[output] - matrix.Zero(0, output)) * (long)bytes[(row * k) + input];
                    }
                }
            }

            for (var i = 0; i < m * n; i++)
            {
                var (row, output) = (i / n, i % n);
                var scaled = (double)sums[row, output] * matrix.Scale(0, output) * Math.ScaleB(1, (row % 5) - 9);
                Assert.Equal(scaled + bias[output], actual[i], 1e-6 * Math.Abs(scaled) + 1e-6);
            }
        });
    }

    [Fact]
    public void A_row_has_the_same_bits_alone_in_any_batch_at_any_width_and_thread_count()
    {
        const int Rows = 140, N = 77, K = 1041;
        var random = new Random(11);
        var matrix = QuantizedMatrices.Integers(random, DType.BF16, N, K, OwnScales);
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

    [Theory, InlineData(null), InlineData(0.02f)]
    public void What_rounding_costs_is_at_most_half_a_step_of_each_input(float? scale)
    {
        const int M = 5, N = 40, K = 300;
        var random = new Random(3);
        var matrix = QuantizedMatrices.Integers(random, DType.F16, N, K, new IntegerInputs(scale));
        var x = HostTensors.Random(random, M * K);
        var weights = QuantizedMatrices.Dequantize(matrix);
        var exact = ScalarTwin.Linear(x, weights, new float[N], M, N, K);
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width);
            var actual = Multiply(device, x, M, K, device.Backend.LoadLinear("w", [matrix]));
            for (var i = 0; i < exact.Length; i++)
            {
                var step = scale ?? x[(i / N * K)..((i / N + 1) * K)].Max(Math.Abs) / 127;
                var magnitudes = weights[(i % N * K)..((i % N + 1) * K)].Sum(Math.Abs);
                Assert.InRange(actual[i] - exact[i], -0.501 * step * magnitudes, 0.501 * step * magnitudes);
            }

            Assert.NotEqual(0, actual[0] - exact[0], 1e-6);
        });
    }

    [Fact]
    public void Inputs_beyond_a_fixed_scale_count_as_its_largest()
    {
        var matrix = QuantizedMatrices.Integers(new Random(1), DType.F32, 20, 8, new IntegerInputs(0.5f));
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width);
            var weight = device.Backend.LoadLinear("w", [matrix]);
            float[] large = [1e6f, -1e6f, 63.5f, -64, 0.2f, 0.3f, 0.25f, 0.75f], same = [63.5f, -64, 63.5f, -64, 0, 0.5f, 0, 1];
            Assert.Equal(Multiply(device, same, 1, 8, weight), Multiply(device, large, 1, 8, weight));
        });
    }

    [Theory, InlineData(float.NaN), InlineData(float.PositiveInfinity), InlineData(float.NegativeInfinity)]
    public void A_row_that_has_no_number_somewhere_gives_none_and_spares_its_neighbours(float bad)
    {
        const int N = 20, K = 9;
        var random = new Random(2);
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width);
            foreach (var scale in new float?[] { null, 0.01f })
            {
                var weight = device.Backend.LoadLinear(
                    "w", [QuantizedMatrices.Integers(random, DType.F32, N, K, new IntegerInputs(scale))]);
                for (var place = 0; place < K; place++)
                {
                    var x = HostTensors.Random(random, 3 * K);
                    var expected = Multiply(device, x, 3, K, weight);
                    x[K + place] = bad;
                    var actual = Multiply(device, x, 3, K, weight);
                    Assert.Equal(expected[..N], actual[..N]);
                    Assert.All(actual[N..(2 * N)], value => Assert.True(float.IsNaN(value)));
                    Assert.Equal(expected[(2 * N)..], actual[(2 * N)..]);
                }
            }
        });
    }

    [Fact]
    public void A_row_of_zeros_gives_the_bias()
    {
        const int N = 40, K = 33;
        var random = new Random(4);
        var bias = HostTensors.Random(random, N);
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width);
            var weight = device.Backend.LoadLinear(
                "w", [QuantizedMatrices.Integers(random, DType.F16, N, K, OwnScales)], [HostTensors.Of("b", DType.F32, bias, N)]);
            Assert.Equal(bias, Multiply(device, new float[K], 1, K, weight));
            float[] tiny = [.. Enumerable.Repeat(float.Epsilon, K)];
            Assert.Equal(bias, Multiply(device, tiny, 1, K, weight));
        });
    }

    [Fact]
    public void Parts_with_scales_of_their_own_and_parts_of_floats_stack()
    {
        const int M = 3, K = 40;
        var random = new Random(5);
        QuantizedMatrix[] parts =
        [
            QuantizedMatrices.Integers(random, DType.F16, 19, K, new IntegerInputs(0.01f)),
            QuantizedMatrices.Integers(random, DType.F16, 5, K, new IntegerInputs(0.02f)),
            QuantizedMatrices.Random("8 bits", random, 7, K),
            QuantizedMatrices.Integers(random, DType.F16, 6, K, OwnScales),
        ];
        var x = HostTensors.Random(random, M * K);
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width, threads: 2);
            var together = Multiply(device, x, M, K, device.Backend.LoadLinear("qkv", parts));
            var first = 0;
            foreach (var part in parts)
            {
                var alone = Multiply(device, x, M, K, device.Backend.LoadLinear("one", [part]));
                for (var row = 0; row < M; row++)
                {
                    var place = (row * together.Length / M) + first;
                    Assert.Equal(
                        alone[(row * part.OutFeatures)..((row + 1) * part.OutFeatures)], together[place..(place + part.OutFeatures)]);
                }

                first += part.OutFeatures;
            }
        });
    }

    [Fact]
    public void Inputs_so_many_that_sums_might_overflow_stay_floats()
    {
        const int K = 1 << 16;
        var random = new Random(6);
        var matrix = QuantizedMatrices.Integers(random, DType.F32, 3, K, OwnScales);
        var x = HostTensors.Random(random, K);
        var expected = ScalarTwin.Linear(x, QuantizedMatrices.Dequantize(matrix), new float[3], 1, 3, K);
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width);
            var actual = Multiply(device, x, 1, K, device.Backend.LoadLinear("w", [matrix]));
            for (var i = 0; i < 3; i++)
            {
                Assert.Equal(expected[i], actual[i], 1e-4 * Math.Max(1, Math.Abs(expected[i])));
            }
        });
    }

    [Fact]
    public void A_steady_decode_step_allocates_nothing()
    {
        using var device = new CpuDevice(Worker.Compute.Cpu.Simd.VectorWidth.Bits256, threads: 2);
        var weight = device.Backend.LoadLinear("w", [QuantizedMatrices.Integers(new Random(1), DType.BF16, 64, 64, OwnScales)]);
        Tensor input = device.Empty(1, 64), output = device.Empty(1, 64);
        long before = 0;
        for (var step = 0; step < 20; step++)
        {
            before = step == 10 ? GC.GetAllocatedBytesForCurrentThread() : before;
            device.Backend.Linear(input, weight, output);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static float[] Multiply(CpuDevice device, float[] x, int rows, int inFeatures, LinearWeight weight)
    {
        var output = device.Empty(rows, weight.OutFeatures);
        device.Backend.Linear(device.Floats(x, rows, inFeatures), weight, output);
        return device.Read(output);
    }
}
