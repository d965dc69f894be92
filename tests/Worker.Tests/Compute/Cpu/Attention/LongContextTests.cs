using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu.Attention;
using Cluster.Worker.Compute.Cpu.Simd;

namespace Cluster.Worker.Tests.Compute.Cpu.Attention;

/// <summary>Contexts of several <see cref="AttentionStretch"/>es.</summary>
public class LongContextTests
{
    private const int Stretch = AttentionStretch.Slots;

    /// <summary>Query heads of a KV head, KV heads, head dimension, cache: each kernel, with dimensions left over.</summary>
    public static TheoryData<int, int, int, string> Groups => new()
    {
        { 1, 2, 37, nameof(DType.F32) },
        { 1, 1, 70, nameof(DType.BF16) },
        { 2, 1, 37, nameof(DType.BF16) },
        { 3, 1, 23, nameof(DType.BF16) },
        { 4, 1, 40, nameof(DType.BF16) },
        { 4, 1, 17, nameof(DType.F16) },
        { 5, 1, 33, nameof(DType.F8E4M3) },
        { 6, 1, 16, nameof(DType.F32) },
        { 7, 1, 9, nameof(DType.F8E5M2) },
        { 8, 1, 24, nameof(DType.BF16) },
        { 9, 1, 19, nameof(DType.BF16) },
    };

    [Theory, MemberData(nameof(Groups))]
    public void Query_heads_of_any_number_match_the_scalar_twin_with_bits_that_depend_on_nothing_else(
        int group, int kvHeads, int headDim, string cache)
    {
        var settings = new AttentionSettings(group * kvHeads, 1 / MathF.Sqrt(headDim));
        var length = (group == 2 ? 2 : 1) * Stretch + 21;
        Check(new PagedRun(settings, kvHeads, headDim, rotaryDim: 0, [length], Enum.Parse<DType>(cache)));
    }

    /// <summary>Sliding window, chunk, soft cap, ALiBi slope, sinks and temperatures, elements of a latent cache's values, cache.</summary>
    public static TheoryData<int, int, float, float, bool, int, string> Settings => new()
    {
        { Stretch + 5, 0, 20, 0, true, 0, nameof(DType.BF16) },
        { 30, 0, 0, 0.02f, true, 0, nameof(DType.F32) },
        { 0, Stretch - 40, 0, 0.01f, false, 0, nameof(DType.BF16) },
        { 0, 0, 0, 0, true, 19, nameof(DType.BF16) },
        { Stretch, 0, 0, 0, false, 20, nameof(DType.F32) },
    };

    [Theory, MemberData(nameof(Settings))]
    public void Stretches_seen_whole_in_part_or_not_at_all_match_the_scalar_twin_with_bits_that_depend_on_nothing_else(
        int window, int chunk, float softCap, float slope, bool sinks, int latentDim, string cache)
    {
        const int Heads = 3, Length = Stretch + 40;
        var settings = new AttentionSettings(Heads, 0.2f, window, softCap) { Chunk = chunk };
        Check(new PagedRun(
            settings, 1, 22, rotaryDim: 0, [Length, 20], Enum.Parse<DType>(cache),
            slope == 0 ? null : [.. Enumerable.Range(0, Heads).Select(head => slope / (head + 1))])
        {
            LatentDim = latentDim,
            Sinks = sinks ? [.. Enumerable.Range(0, Heads).Select(head => 3f - 2 * head)] : null,
            QueryScales = sinks ? [.. Enumerable.Range(0, Length).Select(position => 1 + position / 500f)] : null,
        });
    }

    [Theory]
    [InlineData(1, 2, 32, 8)] // one sequence of one KV head, 8,192 tokens
    [InlineData(3, 2, 32, 2)]
    [InlineData(8, 2, 32, 1)]
    [InlineData(64, 2, 32, 1)]
    [InlineData(1, 64, 32, 32)]
    [InlineData(1, 64, 1, 1)]
    [InlineData(1, 1, 32, 1)]
    [InlineData(0, 2, 0, 1)]
    public void A_context_is_shared_where_there_are_too_few_tasks_for_the_threads(int tasks, int threads, int stretches, int pieces) =>
        Assert.Equal(pieces, AttentionStretch.PiecesOf(tasks, threads, stretches));

    [Fact]
    public void A_decode_step_whose_context_threads_share_allocates_nothing()
    {
        const int Blocks = 4 * Stretch / 16;
        using var device = new CpuDevice(VectorWidth.Bits256, threads: 2);
        var cache = device.Backend.AllocateKvCache(new KvCacheLayout(1, 1, 8, 16, Blocks, DType.BF16));
        var last = device.Integers(1, 1, 4 * Stretch - 1);
        var inputs = new AttentionInputs(
            last, last, device.Integers(2, 1, 0, 1), device.Integers(1, 1, 4 * Stretch),
            device.Integers(1, Blocks, [.. Enumerable.Range(0, Blocks)]), 1, 4 * Stretch);
        Tensor qkv = device.Empty(1, 32), output = device.Empty(1, 16);
        var settings = new AttentionSettings(2, 0.25f);
        long before = 0;
        for (var step = 0; step < 20; step++)
        {
            before = step == 10 ? GC.GetAllocatedBytesForCurrentThread() : before;
            device.Backend.PagedAttention(qkv, inputs, cache, 0, settings, output);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static void Check(PagedRun run)
    {
        var expected = run.Expected();
        float[][]? reference = null;
        Assert.All(CpuDevice.Widths, width =>
        {
            // Five threads share the context of a few rows.
            var alone = run.Execute(width, threads: 5, run.AloneInChunks(3), blockSeed: 1);
            for (var sequence = 0; sequence < expected.Length; sequence++)
            {
                for (var i = 0; i < expected[sequence].Length; i++)
                {
                    Assert.Equal(expected[sequence][i], alone[sequence][i], 3e-6);
                }
            }

            reference ??= alone;
            Assert.Equal(reference, alone);
            Assert.Equal(reference, run.Execute(width, threads: 1, run.AtOnce(), blockSeed: 2));
            Assert.Equal(reference, run.Execute(width, threads: 1, run.AloneInChunks(37), blockSeed: 3));
            Assert.Equal(reference, run.Execute(width, threads: 3, run.TogetherInChunks(16), blockSeed: 4));
        });
    }
}
