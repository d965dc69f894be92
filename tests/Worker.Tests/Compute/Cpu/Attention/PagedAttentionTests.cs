using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Tests.Compute.Cpu.Attention;

public class PagedAttentionTests
{
    /// <summary>Heads, KV heads, head dimension, rotated dimensions, sliding window, soft cap, largest ALiBi slope.</summary>
    public static TheoryData<int, int, int, int, int, float, float> Shapes => new()
    {
        { 4, 4, 16, 16, 0, 0, 0 },
        { 8, 2, 24, 8, 0, 0, 0 },
        { 6, 2, 20, 10, 0, 30, 0 },
        { 5, 1, 7, 0, 0, 0, 0 },
        { 4, 2, 40, 40, 9, 0, 0 },
        { 2, 1, 80, 32, 33, 20, 0 },
        { 20, 1, 48, 48, 0, 0, 0 },
        { 6, 3, 16, 0, 0, 0, 0.5f },
        { 3, 1, 24, 0, 19, 20, 0.25f },
    };

    [Theory, MemberData(nameof(Shapes))]
    public void Matches_the_scalar_twin_over_pages_full_of_nan(
        int heads, int kvHeads, int headDim, int rotaryDim, int window, float softCap, float slope)
    {
        var run = Run(heads, kvHeads, headDim, rotaryDim, window, softCap, slope);
        var expected = run.Expected();
        Assert.All(CpuDevice.Widths, width =>
        {
            var actual = run.Execute(width, threads: 1, run.AtOnce(), blockSeed: 1);
            for (var sequence = 0; sequence < expected.Length; sequence++)
            {
                for (var i = 0; i < expected[sequence].Length; i++)
                {
                    Assert.Equal(expected[sequence][i], actual[sequence][i], 3e-6);
                }
            }
        });
    }

    [Theory, MemberData(nameof(Shapes))]
    public void Bits_do_not_depend_on_batch_chunks_blocks_or_threads(
        int heads, int kvHeads, int headDim, int rotaryDim, int window, float softCap, float slope)
    {
        var run = Run(heads, kvHeads, headDim, rotaryDim, window, softCap, slope);
        Assert.All(CpuDevice.Widths, width =>
        {
            var reference = run.Execute(width, threads: 1, run.AloneInChunks(1), blockSeed: 1);
            Assert.Equal(reference, run.Execute(width, threads: 3, run.AtOnce(), blockSeed: 2));
            Assert.Equal(reference, run.Execute(width, threads: 1, run.AloneInChunks(7), blockSeed: 3));
            Assert.Equal(reference, run.Execute(width, threads: 2, run.TogetherInChunks(16), blockSeed: 4));
            Assert.Equal(reference, run.Execute(width, threads: 2, run.TogetherInChunks(1), blockSeed: 5));
        });
    }

    /// <summary>Heads, elements of a key, of a value, rotated dimensions, sinks, cache.</summary>
    public static TheoryData<int, int, int, int, bool, string> LatentShapes => new()
    {
        { 4, 40, 32, 8, false, nameof(DType.F32) },
        { 3, 23, 17, 6, true, nameof(DType.F32) },
        { 37, 21, 16, 0, false, nameof(DType.BF16) },
        { 2, 33, 33, 0, true, nameof(DType.F16) },
        { 17, 24, 13, 0, false, nameof(DType.F8E4M3) },
        { 1, 19, 4, 0, false, nameof(DType.F8E5M2) },
    };

    [Theory, MemberData(nameof(LatentShapes))]
    public void A_latent_cache_attends_over_values_that_are_parts_of_keys_with_bits_that_depend_on_nothing_else(
        int heads, int headDim, int valueDim, int rotaryDim, bool sinks, string cache)
    {
        var settings = new AttentionSettings(heads, 1 / MathF.Sqrt(headDim)) { CacheScales = new(0.5f, 1), Chunk = sinks ? 18 : 0 };
        var run = new PagedRun(settings, 1, headDim, rotaryDim, [37, 1, 16, 21], Enum.Parse<DType>(cache))
        {
            LatentDim = valueDim,
            Interleaved = true,
            Sinks = sinks ? [.. Enumerable.Range(0, heads).Select(head => 3f - 2 * head)] : null,
        };
        var expected = run.Expected();
        Assert.All(CpuDevice.Widths, width =>
        {
            var reference = run.Execute(width, threads: 1, run.AloneInChunks(1), blockSeed: 1);
            for (var sequence = 0; sequence < expected.Length; sequence++)
            {
                for (var i = 0; i < expected[sequence].Length; i++)
                {
                    Assert.Equal(expected[sequence][i], reference[sequence][i], 3e-6);
                }
            }

            Assert.Equal(reference, run.Execute(width, threads: 3, run.AtOnce(), blockSeed: 2));
            Assert.Equal(reference, run.Execute(width, threads: 1, run.AloneInChunks(7), blockSeed: 3));
            Assert.Equal(reference, run.Execute(width, threads: 2, run.TogetherInChunks(16), blockSeed: 4));
        });
    }

    [Theory]
    [InlineData(nameof(DType.BF16)), InlineData(nameof(DType.F16)), InlineData(nameof(DType.F8E4M3)), InlineData(nameof(DType.F8E5M2))]
    public void A_packed_cache_attends_over_rounded_keys_and_values_with_bits_that_depend_on_nothing_else(string dtypeName)
    {
        // Without rotation a key is rounded from the very float that the twin rounds; with it they may lie on two sides of a boundary.
        foreach (var (heads, kvHeads, headDim, window) in new[] { (4, 2, 24, 0), (5, 1, 7, 0), (2, 1, 40, 9) })
        {
            var settings = new AttentionSettings(heads, 1 / MathF.Sqrt(headDim), window);
            var run = new PagedRun(settings, kvHeads, headDim, rotaryDim: 0, [37, 1, 16, 21], Enum.Parse<DType>(dtypeName));
            var expected = run.Expected();
            Assert.All(CpuDevice.Widths, width =>
            {
                var reference = run.Execute(width, threads: 1, run.AloneInChunks(1), blockSeed: 1);
                for (var sequence = 0; sequence < expected.Length; sequence++)
                {
                    for (var i = 0; i < expected[sequence].Length; i++)
                    {
                        Assert.Equal(expected[sequence][i], reference[sequence][i], 3e-6);
                    }
                }

                Assert.Equal(reference, run.Execute(width, threads: 3, run.AtOnce(), blockSeed: 2));
                Assert.Equal(reference, run.Execute(width, threads: 2, run.TogetherInChunks(16), blockSeed: 4));
            });
        }
    }

    /// <summary>Heads, KV heads, head dimension, rotated dimensions, sliding window, chunk, sinks, temperature.</summary>
    public static TheoryData<int, int, int, int, int, int, bool, bool> LaterShapes => new()
    {
        { 4, 2, 17, 14, 0, 0, false, false },
        { 6, 2, 24, 0, 0, 0, true, false },
        { 5, 1, 7, 0, 9, 0, true, true },
        { 4, 4, 33, 32, 0, 8, false, true },
        { 3, 1, 16, 6, 0, 19, true, true },
    };

    [Theory, MemberData(nameof(LaterShapes))]
    public void Neighbours_sinks_chunks_and_temperatures_match_the_scalar_twin_with_bits_that_depend_on_nothing_else(
        int heads, int kvHeads, int headDim, int rotaryDim, int window, int chunk, bool sinks, bool temperatures)
    {
        var run = LaterRun(heads, kvHeads, headDim, rotaryDim, window, chunk, sinks, temperatures);
        var expected = run.Expected();
        Assert.All(CpuDevice.Widths, width =>
        {
            var reference = run.Execute(width, threads: 1, run.AloneInChunks(1), blockSeed: 1);
            for (var sequence = 0; sequence < expected.Length; sequence++)
            {
                for (var i = 0; i < expected[sequence].Length; i++)
                {
                    Assert.Equal(expected[sequence][i], reference[sequence][i], 3e-6);
                }
            }

            Assert.Equal(reference, run.Execute(width, threads: 3, run.AtOnce(), blockSeed: 2));
            Assert.Equal(reference, run.Execute(width, threads: 1, run.AloneInChunks(7), blockSeed: 3));
            Assert.Equal(reference, run.Execute(width, threads: 2, run.TogetherInChunks(16), blockSeed: 4));
        });
    }

    [Theory, InlineData(nameof(DType.F8E4M3)), InlineData(nameof(DType.F8E5M2)), InlineData(nameof(DType.F32))]
    public void Keys_and_values_of_an_fp8_cache_are_divided_by_their_scales(string dtypeName)
    {
        var settings = new AttentionSettings(4, 0.2f) { CacheScales = new(0.013f, 3.7f) };
        var run = new PagedRun(settings, 2, 21, rotaryDim: 0, [19, 3], Enum.Parse<DType>(dtypeName));
        var expected = run.Expected();
        Assert.All(CpuDevice.Widths, width =>
        {
            var actual = run.Execute(width, threads: 1, run.AtOnce(), blockSeed: 1);
            for (var sequence = 0; sequence < expected.Length; sequence++)
            {
                for (var i = 0; i < expected[sequence].Length; i++)
                {
                    Assert.Equal(expected[sequence][i], actual[sequence][i], 3e-6);
                }
            }
        });
    }

    [Fact]
    public void Large_blocks_give_the_same_bits_as_small_ones()
    {
        // A block of 48 slots holds three tiles: a cache of one block must attend like three of 16.
        var random = new Random(8);
        const int Tokens = 45, Columns = 3 * 8;
        var qkv = HostTensors.Random(random, Tokens * Columns);
        float[]? reference = null;
        foreach (var (blockSize, dtype) in new[]
        {
            (16, DType.F32), (48, DType.F32), (16, DType.BF16), (48, DType.BF16), (16, DType.F8E4M3), (48, DType.F8E4M3),
        })
        {
            reference = blockSize == 16 ? null : reference;
            using var device = new CpuDevice(VectorWidth.Bits256);
            var blocks = 48 / blockSize;
            var cache = device.Backend.AllocateKvCache(new KvCacheLayout(1, 1, 8, blockSize, blocks, dtype));
            var rows = device.Integers(Tokens, 1, [.. Enumerable.Range(0, Tokens)]);
            var inputs = new AttentionInputs(
                rows, rows, device.Integers(2, 1, 0, Tokens), device.Integers(1, 1, Tokens),
                device.Integers(1, blocks, [.. Enumerable.Range(0, blocks)]), Tokens, Tokens);
            var input = device.Floats(qkv, Tokens, Columns);
            var output = device.Empty(Tokens, 8);
            device.Backend.RopeAndCache(input, null, inputs, cache, 0);
            device.Backend.PagedAttention(input, inputs, cache, 0, new AttentionSettings(1, 0.5f), output);
            reference ??= device.Read(output);
            Assert.Equal(reference, device.Read(output));
        }
    }

    [Theory, InlineData(nameof(DType.I32), 16), InlineData(nameof(DType.F32), 8)]
    public void A_cache_that_cannot_be_read_is_refused(string dtypeName, int blockSize)
    {
        var dtype = Enum.Parse<DType>(dtypeName);
        using var device = new CpuDevice(VectorWidth.Bits256);
        Assert.Throws<NotSupportedException>(() => device.Backend.AllocateKvCache(new KvCacheLayout(1, 1, 8, blockSize, 1, dtype)));
    }

    private static PagedRun LaterRun(
        int heads, int kvHeads, int headDim, int rotaryDim, int window, int chunk, bool sinks, bool temperatures) =>
        new(new AttentionSettings(heads, 1 / MathF.Sqrt(headDim), window) { Chunk = chunk }, kvHeads, headDim, rotaryDim, [37, 1, 16, 21])
        {
            Interleaved = true,
            Sinks = sinks ? [.. Enumerable.Range(0, heads).Select(head => 3f - 2 * head)] : null,
            QueryScales = temperatures ? [.. Enumerable.Range(0, 37).Select(position => 1 + position / 20f)] : null,
        };

    private static PagedRun Run(int heads, int kvHeads, int headDim, int rotaryDim, int window, float softCap, float slope) =>
        new(new AttentionSettings(heads, 1 / MathF.Sqrt(headDim), window, softCap), kvHeads, headDim, rotaryDim, [37, 1, 16, 21],
            alibiSlopes: slope == 0 ? null : [.. Enumerable.Range(0, heads).Select(head => slope / (head + 1))]);
}
