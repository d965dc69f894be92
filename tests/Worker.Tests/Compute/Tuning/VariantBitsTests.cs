using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu.Gemm;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Compute.Ilgpu.Launch.Interpreter;
using Cluster.Worker.Compute.Tuning;
using Cluster.Worker.Tests.Compute.Cpu;
using Cluster.Worker.Tests.Compute.Cpu.Quantized;

namespace Cluster.Worker.Tests.Compute.Tuning;

/// <summary>Whatever variant of a multiplication is taken, its result has the same bits.</summary>
[Trait(Category.Name, Category.Long)]
public sealed class VariantBitsTests
{
    /// <summary>One tile and several, several chunks of tiles; outputs that are no whole panels, and more than a batch of them; k of
    /// several blocks, odd.</summary>
    public static MatrixTheoryData<string, (int M, int N, int K)> Shapes => new(
        ["BF16", "F16", "F32", .. QuantizedMatrices.Kinds], [(1, 331, 65), (5, 77, 515), (40, 601, 130), (261, 75, 1231)]);

    [Theory, MemberData(nameof(Shapes))]
    public void Every_cut_of_the_cpu_gives_the_bits_of_the_usual_one(string type, (int M, int N, int K) shape)
    {
        var (m, n, k) = shape;
        var random = new Random(m + n + k);
        var x = HostTensors.Random(random, m * k);
        Assert.All(CpuDevice.Widths, width =>
        {
            using var device = new CpuDevice(width, threads: 3);
            var weight = Load(device.Backend, type, new Random(7), n, k);
            var variants = device.Backend.VariantsOf(weight, m);
            Assert.Equal(TunedVariant.Default, variants[0]);
            Assert.True(variants.Count > 1);
            Same(device, x, m, weight, variants);
        });
    }

    [Fact]
    public void Names_of_cuts_say_what_they_are()
    {
        Assert.Equal(GemmCut.Default, GemmCut.Of(null));
        Assert.Equal(GemmCut.Default, GemmCut.Of(TunedVariant.Default));
        Assert.Equal(GemmCut.Default, GemmCut.Of("Gemm_Hipblaslt_1219"));
        Assert.Equal(GemmCut.Default with { TilesPerChunk = 10, BlockKilobytes = 8 }, GemmCut.Of("Chunk_10_Block_8"));
        Assert.Equal(GemmCut.Default with { TaskScale = 0.25 }, GemmCut.Of("Tasks_0.25"));
        var all = GemmCut.ForOneTile.Concat(GemmCut.ForManyTiles).Distinct().ToList();
        Assert.Equal(all.Count, all.Select(GemmCut.Of).Distinct().Count());
        Assert.All(all.Select(GemmCut.Of), cut =>
        {
            Assert.InRange(cut.BatchPanels, 2, GemmCut.MostBatchPanels);
            Assert.Equal(0, cut.BatchPanels % 2);
            Assert.InRange(cut.BlockKilobytes, 1, GemmCut.MostBlockKilobytes);
            Assert.InRange(cut.TilesPerChunk, 1, GemmCut.MostTiles);
        });
    }

    [Theory, InlineData(1), InlineData(9), InlineData(37)]
    public void Every_share_of_waves_gives_the_bits_of_the_usual_one(int m)
    {
        const int N = 75, K = 67;
        using var device = new BackendUnderTest(new IlgpuBackend(new InterpreterLauncher(1L << 28, waves: 4), new IlgpuOptions()));
        var weight = Load(device.Backend, "BF16", new Random(7), N, K);
        var variants = device.Backend.VariantsOf(weight, m);
        Assert.Equal(3, variants.Count);
        Same(device, HostTensors.Random(new Random(m), m * K), m, weight, variants);
    }

    [Theory, InlineData(MatrixCores.Mfma), InlineData(MatrixCores.Mma)]
    internal void On_matrix_cores_the_number_of_waves_is_no_variant(MatrixCores matrixCores)
    {
        using var device = new BackendUnderTest(
            new IlgpuBackend(new InterpreterLauncher(1L << 28, waves: 4, matrixCores), new IlgpuOptions()));
        Assert.DoesNotContain(
            device.Backend.VariantsOf(Load(device.Backend, "BF16", new Random(7), 32, 32), 8),
            name => name.StartsWith("RowWaves", StringComparison.Ordinal));
    }

    private static LinearWeight Load(Backend backend, string type, Random random, int n, int k) => Enum.TryParse<DType>(type, out var dtype)
        ? backend.LoadLinear(
            "w", [HostTensors.Of("w", dtype, HostTensors.Random(random, n * k), n, k)],
            [HostTensors.Of("b", DType.F32, HostTensors.Random(random, n), n)])
        : backend.LoadLinear(
            "w", [QuantizedMatrices.Random(type, random, n, k)], [HostTensors.Of("b", DType.F32, HostTensors.Random(random, n), n)]);

    private static void Same(BackendUnderTest device, float[] x, int m, LinearWeight weight, IReadOnlyList<string> variants)
    {
        var type = Assert.Single(device.Backend.Tuning.Weights.Keys).Type;
        var shape = new GemmShape(type, weight.OutFeatures, GemmTuning.BucketOf(m), weight.InFeatures);
        float[]? usual = null;
        Assert.All(variants, variant =>
        {
            device.Backend.Tuning.Choose(shape, new TunedVariant(variant, 1));
            Assert.Equal(variant, device.Backend.Tuning.VariantFor(type, m, weight));
            var output = device.Empty(m, weight.OutFeatures);
            device.Backend.Linear(device.Floats(x, m, weight.InFeatures), weight, output);
            var actual = device.Read(output);
            usual ??= actual;
            Assert.Equal(usual.Select(BitConverter.SingleToInt32Bits), actual.Select(BitConverter.SingleToInt32Bits));
        });
    }
}
