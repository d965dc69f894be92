using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>Attention on matrix cores, on a fake AMD GPU that has them.</summary>
[Trait(Category.Name, Category.Interpreter)]
public sealed class FlashAttentionTests : IDisposable
{
    private readonly CountingLauncher _launcher;
    private readonly BackendUnderTest _device;

    public FlashAttentionTests()
    {
        _launcher = new CountingLauncher(HipFixture.Launcher());
        _device = new BackendUnderTest(new IlgpuBackend(_launcher, new IlgpuOptions()));
    }

    /// <summary>Heads, KV heads, head dimension, rotated dimensions, sliding window, chunk, soft cap, largest ALiBi slope, sinks,
    /// cache.</summary>
    public static TheoryData<int, int, int, int, int, int, float, float, bool, string> Shapes => new()
    {
        { 4, 2, 16, 16, 0, 0, 0, 0, false, nameof(DType.F32) },
        { 3, 3, 7, 0, 9, 0, 0, 0, true, nameof(DType.BF16) },
        { 6, 1, 72, 10, 0, 0, 30, 0.25f, false, nameof(DType.F16) },
        { 40, 1, 20, 0, 0, 8, 0, 0, true, nameof(DType.F8E4M3) },
    };

    [Theory, MemberData(nameof(Shapes))]
    public void Is_that_of_the_scalar_twin_and_rows_have_the_bits_they_have_alone_over_pages_full_of_nan(
        int heads, int kvHeads, int headDim, int rotaryDim, int window, int chunk, float softCap, float slope, bool sinks, string cache)
    {
        int[] lengths = [21, 1, 40];
        var settings = new AttentionSettings(heads, 1 / MathF.Sqrt(headDim), window, softCap)
        {
            Chunk = chunk,
            CacheScales = new(0.25f, 2),
        };
        var run = new PagedRun(
            settings, kvHeads, headDim, rotaryDim, lengths, Enum.Parse<DType>(cache),
            slope == 0 ? null : [.. Enumerable.Range(1, heads).Select(head => slope * head / heads)])
        {
            Sinks = sinks ? [.. Enumerable.Range(0, heads).Select(head => 3f - 2 * head)] : null,
            QueryScales = [.. Enumerable.Range(0, 40).Select(position => 1 + position / 20f)],
        };
        var expected = run.Expected();

        var actual = run.Execute(_device, run.AtOnce(), blockSeed: 1);

        Assert.Contains(_launcher.Launched, name => name.StartsWith("FlashAttention.Attend", StringComparison.Ordinal));
        for (var sequence = 0; sequence < expected.Length; sequence++)
        {
            Assert.Equal(
                expected[sequence], Array.ConvertAll(actual[sequence], value => (double)value), (twin, own) => Math.Abs(twin - own) < 5e-6);
        }

        Assert.Equal(actual, run.Execute(_device, run.TogetherInChunks(7), blockSeed: 2));
        Assert.Equal(actual[0], run.Execute(_device, run.AloneInChunks(1).Take(21), blockSeed: 3)[0]);
    }

    [Fact]
    public void Bits_do_not_depend_on_who_walks_the_stretches()
    {
        // Over more than a stretch of 256 tokens a row's stretches are shared out when it is alone; in a large step they are walked.
        var run = new PagedRun(new AttentionSettings(2, 0.3f), 1, 8, 8, [300, 19]) { Sinks = [1, -2] };
        var reference = run.Execute(_device, run.AtOnce(), blockSeed: 1);

        var inPieces = run.Execute(
            _device, [[new(0, 0, 290), new(1, 0, 19)], [new(0, 290, 7)], [new(0, 297, 2)], [new(0, 299, 1)]], blockSeed: 2);

        Assert.Equal(reference, inPieces);
        Assert.Equal(5, _launcher.Launched.Count(name => name.StartsWith("FlashAttention", StringComparison.Ordinal)));
    }

    public void Dispose() => _device.Dispose();
}
