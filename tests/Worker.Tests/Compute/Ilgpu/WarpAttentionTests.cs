using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using Cluster.Worker.Compute.Ilgpu.Kernels;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Compute.Ilgpu.Launch.Cuda;
using Cluster.Worker.Compute.Ilgpu.Launch.Gpu;
using Cluster.Worker.Compute.Ilgpu.Launch.Interpreter;
using Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>Attention by matrix instructions of warps, as PTX on a fake NVIDIA GPU; small heads of every cache are among
/// <see cref="CudaOperationTests"/>.</summary>
[Trait(Category.Name, Category.Interpreter)]
public sealed class WarpAttentionTests
{
    /// <summary>Tokens, heads, KV heads, head dimension, rotated dimensions, sliding window, chunk, soft cap, largest ALiBi slope, sinks,
    /// cache, whether activations are rounded.</summary>
    public static TheoryData<int, int, int, int, int, int, int, float, float, bool, string, bool> Shapes => new()
    {
        { 40, 6, 1, 72, 0, 0, 0, 30, 0.25f, false, nameof(DType.BF16), false },
        { 40, 3, 1, 67, 10, 9, 0, 0, 0, true, nameof(DType.F32), false },
        { 14, 12, 1, 20, 0, 0, 8, 0, 0, true, nameof(DType.F8E4M3), false },
        { 40, 8, 2, 128, 0, 11, 0, 0, 0.5f, true, nameof(DType.BF16), true },
        { 70, 2, 1, 16, 16, 0, 8, 20, 0, false, nameof(DType.F16), true },
    };

    [Theory, MemberData(nameof(Shapes))]
    public void Is_that_of_the_scalar_twin_and_rows_have_the_bits_they_have_alone_over_pages_full_of_nan(
        int length, int heads, int kvHeads, int headDim, int rotaryDim, int window, int chunk, float softCap, float slope, bool sinks,
        string cache, bool rounds)
    {
        int[] lengths = [length, 1, 3];
        var settings = new AttentionSettings(heads, 1 / MathF.Sqrt(headDim), window, softCap)
        {
            Chunk = chunk,
            CacheScales = new(0.25f, 2),
        };
        var run = new PagedRun(
            settings, kvHeads, headDim, rotaryDim, lengths, Enum.Parse<DType>(cache),
            slope == 0 ? null : [.. Enumerable.Range(1, heads).Select(head => slope * head / heads)])
        {
            Sinks = sinks ? [.. Enumerable.Range(0, heads).Select(head => 3f - 2 * (head % 7))] : null,
            QueryScales = [.. Enumerable.Range(0, length).Select(position => 1 + position / 20f)],
        };
        var launcher = new CountingLauncher(CudaFixture.Launcher());
        using var device = new BackendUnderTest(new IlgpuBackend(launcher, new IlgpuOptions { RoundsActivations = rounds }));
        var expected = run.Expected();

        var actual = run.Execute(device, run.AtOnce(), blockSeed: 1);

        Assert.Contains(launcher.Launched, name => name.StartsWith("WarpAttention.Attend", StringComparison.Ordinal));

        // A rounded query or weight is off by a bit of its 8.
        var tolerance = rounds ? 1.5e-2 : 5e-6;
        for (var sequence = 0; sequence < expected.Length; sequence++)
        {
            Assert.Equal(
                expected[sequence], Array.ConvertAll(actual[sequence], value => (double)value),
                (twin, own) => Math.Abs(twin - own) < tolerance);
        }

        // A prompt in chunks, and a few rows alone, as in decode.
        Assert.Equal(actual, run.Execute(device, run.TogetherInChunks(length / 2 - 1), blockSeed: 2));
        PagedRun.Chunk[][] alone = [[new(0, 0, length - 8)], [new(0, length - 8, 1)], [new(0, length - 7, 6)], [new(0, length - 1, 1)]];
        Assert.Equal(actual[0], run.Execute(device, alone, blockSeed: 3)[0]);
        Assert.Equal(
            cache != nameof(DType.F32) || headDim <= 64,
            launcher.Launched.Any(name => name.Contains(nameof(OwnTokens), StringComparison.Ordinal)));
        Assert.Equal("", CudaFixture.Text);
    }

    [Fact]
    public void Bits_do_not_depend_on_who_walks_the_stretches()
    {
        // Over more than a stretch of 256 tokens a row's stretches are shared out when it is alone; in a large step they are walked.
        var run = new PagedRun(new AttentionSettings(1, 0.3f, 270), 1, 16, 8, [520], DType.F16) { Sinks = [1] };
        var launcher = new CountingLauncher(CudaFixture.Launcher());
        using var device = new BackendUnderTest(new IlgpuBackend(launcher, new IlgpuOptions { RoundsActivations = true }));
        var reference = run.Execute(device, run.AtOnce(), blockSeed: 1);

        var inPieces = run.Execute(device, [[new(0, 0, 514)], [new(0, 514, 3)], [new(0, 517, 2)], [new(0, 519, 1)]], blockSeed: 2);

        Assert.Equal(reference, inPieces);
        Assert.Equal(5, launcher.Launched.Count(name => name.StartsWith("WarpAttention", StringComparison.Ordinal)));
        Assert.Equal("", CudaFixture.Text);
    }

    /// <summary>The bodies of the instructions have the hardware's layouts, so that both find the same.</summary>
    [Fact]
    public void The_interpreter_attends_as_the_device_does()
    {
        var run = new PagedRun(new AttentionSettings(3, 0.3f), 1, 16, 0, [5], DType.F16);
        using var interpreter = new BackendUnderTest(new IlgpuBackend(
            new InterpreterLauncher(1L << 28, waves: 4, MatrixCores.Mma), new IlgpuOptions { RoundsActivations = true }));
        using var device = new BackendUnderTest(CudaFixture.Make(new IlgpuOptions { RoundsActivations = true }));

        var expected = run.Execute(device, run.AtOnce(), blockSeed: 1)[0];

        Assert.Equal(expected, run.Execute(interpreter, run.AtOnce(), blockSeed: 1)[0], (a, b) => Math.Abs(a - b) <= 1e-5);
    }

    [Theory]
    [InlineData("shfl.sync", "lanes of a warp have not come to an exchange together")]
    [InlineData("mma.sync", "lanes of a warp have not come to a matrix instruction together")]
    public void Lanes_of_a_warp_that_do_not_come_to_an_instruction_show(string instruction, string complaint)
    {
        using var gpu = FakeGpu.Cuda();
        var cuda = CudaDevice.All([gpu.LibraryPath])[0];
        var images = new EditedImages(
            new CudaImages(cuda.Target, KernelCache.OfEnvironment()),
            text => text.Replace(
                instruction, $"mov.b32 %r0, %tid.x;\n\tsetp.eq.s32 %p0, %r0, 5;\n\t@%p0 ret;\n\t{instruction}", StringComparison.Ordinal));
        using var device = new BackendUnderTest(new IlgpuBackend(
            new GpuLauncher(new CudaDriver(cuda), images, cuda.MatrixCores), new IlgpuOptions { RoundsActivations = true }));
        var run = new PagedRun(new AttentionSettings(1, 1), 1, 16, 0, [1], DType.F16);
        _ = run.Execute(device, run.AtOnce(), blockSeed: 1);

        Assert.Contains(complaint, gpu.Text);
    }

    /// <summary>Eight lanes load 16 bytes at a time, and store so: of eight banks of 16 bytes each needs another. Words are stored by 32
    /// lanes in as many banks.</summary>
    [Theory, InlineData(8), InlineData(16)]
    public void Lanes_that_move_together_meet_in_no_bank(int octets)
    {
        var lanes = Enumerable.Range(0, WarpMatrix.Lanes).ToArray();
        void Apart(int banks, IEnumerable<int> places) => Assert.All(
            places.Chunk(banks), together => Assert.Equal(banks, together.Select(place => place % banks).Distinct().Count()));

        var keys = Enumerable.Range(0, octets * WarpAttention.TileTokens)
            .Select(i => WarpCacheTiles.KeyAt(i % WarpAttention.TileTokens, i / WarpAttention.TileTokens, octets)).ToArray();
        Assert.Equal(Enumerable.Range(0, keys.Length), keys.Order());
        Apart(8, keys);
        for (var n = 0; n < 4; n++)
        {
            Apart(8, lanes.Select(lane => WarpCacheTiles.KeyAt(lane / 8 * 8 + lane / 4 % 2 + 2 * n, 4 + lane % 4, octets)));
            Apart(8, lanes.Select(lane => WarpCacheTiles.ValueAt(8 * n + lane / 4, lane % 4)));
            Apart(32, lanes.Select(lane => 4 * WarpCacheTiles.ValueAt(8 * (lane / 16) + n, 0) + lane % 16));
        }
    }
}
