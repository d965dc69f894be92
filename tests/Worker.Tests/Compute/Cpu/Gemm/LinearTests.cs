using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Tests.Compute.Cpu.Gemm;

public class LinearTests
{
    public static TheoryData<int, int, int> OddShapes => new()
    {
        { 1, 1, 1 }, { 1, 33, 7 }, { 2, 17, 31 }, { 3, 65, 64 }, { 5, 31, 33 }, { 6, 16, 2 }, { 7, 70, 19 }, { 11, 9, 40 },
        { 13, 129, 65 }, { 20, 65, 97 }, { 25, 48, 515 }, { 130, 37, 1030 }, { 140, 33, 1301 },
    };

    [Theory, MemberData(nameof(OddShapes))]
    public void Matches_the_scalar_twin(int m, int n, int k)
    {
        var random = new Random(m * 1000 + n * 10 + k);
        foreach (var dtype in new[] { DType.BF16, DType.F16, DType.F32 })
        {
            float[] x = HostTensors.Random(random, m * k), w = HostTensors.Random(random, n * k), bias = HostTensors.Random(random, n);
            var rounded = Array.ConvertAll(w, value => HostTensors.Rounded(dtype, value));
            var expected = ScalarTwin.Linear(x, rounded, bias, m, n, k);
            Assert.All(CpuDevice.Widths, width =>
            {
                using var device = new CpuDevice(width);
                var weight = device.Backend.LoadLinear(
                    "w", [HostTensors.Of("w", dtype, w, n, k)], [HostTensors.Of("b", DType.F32, bias, n)]);
                var actual = Multiply(device, x, m, k, weight);
                for (var i = 0; i < expected.Length; i++)
                {
                    Assert.Equal(expected[i], actual[i], 1e-6 * (4 + k / 8.0));
                }
            });
        }
    }

    [Fact]
    public void Subnormal_and_extreme_half_precision_weights_are_exact()
    {
        float[] weights = [5.9604645e-8f, -6.097555e-5f, 65504f, -65504f, 0f, 6.1035156e-5f, 1.0009766f, -0.33325195f];
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width);
            var weight = device.Backend.LoadLinear("w", [HostTensors.Of("w", DType.F16, weights, weights.Length, 1)]);
            Assert.Equal(weights, Multiply(device, [1f], 1, 1, weight));
        });
    }

    [Fact]
    public void Stacked_parts_of_different_dtypes_become_one_multiplication()
    {
        var random = new Random(5);
        const int M = 3, K = 21;
        var x = HostTensors.Random(random, M * K);
        float[] q = HostTensors.Random(random, 19 * K), k = HostTensors.Random(random, 5 * K), v = HostTensors.Random(random, 7 * K);
        float[] bq = HostTensors.Random(random, 19), bk = HostTensors.Random(random, 5), bv = HostTensors.Random(random, 7);
        foreach (var dtype in new[] { DType.BF16, DType.F32 })
        {
            var kRounded = Array.ConvertAll(k, value => HostTensors.Rounded(dtype, value));
            var expected = ScalarTwin.Linear(x, [.. q, .. kRounded, .. v], [.. bq, .. bk, .. bv], M, 31, K);
            Assert.All(CpuDevice.Widths, width =>
            {
                using var device = new CpuDevice(width);
                var weight = device.Backend.LoadLinear(
                    "qkv",
                    [HostTensors.Of("q", DType.F32, q, 19, K), HostTensors.Of("k", dtype, k, 5, K),
                        HostTensors.Of("v", DType.F32, v, 7, K)],
                    [HostTensors.Of("bq", DType.F32, bq, 19), HostTensors.Of("bk", DType.F32, bk, 5),
                        HostTensors.Of("bv", DType.F32, bv, 7)]);
                Assert.Equal((K, 31), (weight.InFeatures, weight.OutFeatures));
                var actual = Multiply(device, x, M, K, weight);
                for (var i = 0; i < expected.Length; i++)
                {
                    Assert.Equal(expected[i], actual[i], 1e-5);
                }
            });
        }
    }

    [Theory, InlineData(nameof(DType.BF16)), InlineData(nameof(DType.F16)), InlineData(nameof(DType.F32))]
    public void A_row_has_the_same_bits_alone_in_any_batch_at_any_place_width_and_thread_count(string dtypeName)
    {
        var dtype = Enum.Parse<DType>(dtypeName);
        const int Rows = 140, N = 77, K = 1241;
        var random = new Random(11);
        float[] x = HostTensors.Random(random, Rows * K), w = HostTensors.Random(random, N * K), bias = HostTensors.Random(random, N);
        float[]? reference = null;
        Assert.All(CpuDevice.Widths, width =>
        {
            foreach (var threads in new[] { 1, 3 })
            {
                using var device = new CpuDevice(width, threads);
                var weight = device.Backend.LoadLinear(
                    "w", [HostTensors.Of("w", dtype, w, N, K)], [HostTensors.Of("b", DType.F32, bias, N)]);
                reference ??= [
                    .. Enumerable.Range(0, Rows).SelectMany(row => Multiply(device, x[(row * K)..((row + 1) * K)], 1, K, weight))];
                foreach (var batch in new[] { 2, 3, 5, 7, 12, 20, 29, 32, 64, Rows })
                {
                    var first = (Rows - batch) / 2;
                    var actual = Multiply(device, x[(first * K)..((first + batch) * K)], batch, K, weight);
                    Assert.Equal(reference[(first * N)..((first + batch) * N)], actual);
                }
            }
        });
    }

    [Fact]
    public void An_unreadable_dtype_is_refused_by_name()
    {
        using var device = new CpuDevice(VectorWidth.Scalar);
        var tensor = HostTensors.Of("model.layers.3.mlp.up_proj.weight", DType.F64, new float[4], 2, 2);
        var exception = Assert.Throws<NotSupportedException>(() => device.Backend.LoadLinear("up", [tensor]));
        Assert.Equal("tensor 'model.layers.3.mlp.up_proj.weight' is F64; supported: F32, F16, BF16", exception.Message);
    }

    [Fact]
    public void Parts_that_do_not_stack_are_refused_with_their_shapes()
    {
        using var device = new CpuDevice(VectorWidth.Scalar);
        var q = HostTensors.Of("q", DType.F32, new float[6], 2, 3);
        var k = HostTensors.Of("k", DType.F32, new float[8], 2, 4);
        var exception = Assert.Throws<ArgumentException>(() => device.Backend.LoadLinear("qkv", [q, k]));
        Assert.Equal("tensor 'k' has shape [2, 4]; linear layer 'qkv' needs [out, 3]", exception.Message);
        exception = Assert.Throws<ArgumentException>(
            () => device.Backend.LoadLinear("qkv", [q], [HostTensors.Of("b", DType.F32, new float[3], 3)]));
        Assert.Equal("tensor 'b' has shape [3]; the bias of 'q' needs [2]", exception.Message);
    }

    [Fact]
    public void An_infinite_half_precision_weight_is_refused_with_its_place()
    {
        using var device = new CpuDevice(VectorWidth.Bits256);
        var tensor = HostTensors.Of("w", DType.F16, [1, 2, 3, 4, float.PositiveInfinity, 6], 2, 3);
        var exception = Assert.Throws<InvalidDataException>(() => device.Backend.LoadLinear("w", [tensor]));
        Assert.Contains("tensor 'w' has an infinite or NaN element at [1, 1]", exception.Message, StringComparison.Ordinal);
    }

    private static float[] Multiply(CpuDevice device, float[] x, int rows, int inFeatures, LinearWeight weight)
    {
        var output = device.Empty(rows, weight.OutFeatures);
        device.Backend.Linear(device.Floats(x, rows, inFeatures), weight, output);
        return device.Read(output);
    }
}
