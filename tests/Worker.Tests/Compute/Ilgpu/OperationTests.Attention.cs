using Cluster.Worker.Compute;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <content>Attention, and what lays out its cache.</content>
public abstract partial class OperationTests
{
    /// <summary>Heads, KV heads, head dimension, rotated dimensions, sliding window, soft cap, largest ALiBi slope, cache.</summary>
    public static TheoryData<int, int, int, int, int, float, float, string> AttentionShapes => new()
    {
        { 4, 2, 16, 16, 0, 0, 0, nameof(DType.F32) },
        { 3, 1, 7, 0, 9, 0, 0, nameof(DType.F32) },
        { 6, 2, 20, 10, 0, 30, 0, nameof(DType.F32) },
        { 12, 1, 24, 0, 19, 20, 0.25f, nameof(DType.F32) },
        { 4, 2, 24, 0, 0, 0, 0, nameof(DType.F8E4M3) },
        { 5, 1, 7, 0, 9, 0, 0, nameof(DType.F8E5M2) },
        { 4, 4, 20, 0, 0, 0, 0, nameof(DType.BF16) },
        { 2, 1, 40, 0, 0, 0, 0, nameof(DType.F16) },
    };

    /// <summary>Tokens of a sequence that is long for the device.</summary>
    protected virtual int LongContext => 300;

    [Theory, MemberData(nameof(AttentionShapes))]
    public void Attention_over_pages_full_of_nan_is_that_of_the_scalar_twin(
        int heads, int kvHeads, int headDim, int rotaryDim, int window, float softCap, float slope, string cache)
    {
        var run = Run(heads, kvHeads, headDim, rotaryDim, window, softCap, slope, cache, [21, 1, 16, 5]);
        var expected = run.Expected();

        var actual = run.Execute(fixture.Device, run.AtOnce(), blockSeed: 1);

        for (var sequence = 0; sequence < expected.Length; sequence++)
        {
            for (var i = 0; i < expected[sequence].Length; i++)
            {
                Assert.Equal(expected[sequence][i], actual[sequence][i], 5e-6);
            }
        }
    }

    /// <summary>Heads, KV heads, head dimension, rotated dimensions, sliding window, chunk, sinks, cache.</summary>
    public static TheoryData<int, int, int, int, int, int, bool, string> LaterAttentionShapes => new()
    {
        { 4, 2, 17, 14, 0, 0, false, nameof(DType.F32) },
        { 5, 1, 7, 0, 9, 0, true, nameof(DType.BF16) },
        { 4, 4, 33, 0, 0, 8, true, nameof(DType.F8E4M3) },
    };

    [Theory, MemberData(nameof(LaterAttentionShapes))]
    public void Neighbours_sinks_chunks_temperatures_and_cache_scales_are_those_of_the_scalar_twin(
        int heads, int kvHeads, int headDim, int rotaryDim, int window, int chunk, bool sinks, string cache)
    {
        var settings = new AttentionSettings(heads, 1 / MathF.Sqrt(headDim), window) { Chunk = chunk, CacheScales = new(0.25f, 2) };
        var run = new PagedRun(settings, kvHeads, headDim, rotaryDim, [21, 1, 16, 5], Enum.Parse<DType>(cache))
        {
            Interleaved = true,
            Sinks = sinks ? [.. Enumerable.Range(0, heads).Select(head => 3f - 2 * head)] : null,
            QueryScales = [.. Enumerable.Range(0, 21).Select(position => 1 + position / 20f)],
        };
        var expected = run.Expected();

        var actual = run.Execute(fixture.Device, run.AtOnce(), blockSeed: 1);

        for (var sequence = 0; sequence < expected.Length; sequence++)
        {
            for (var i = 0; i < expected[sequence].Length; i++)
            {
                Assert.Equal(expected[sequence][i], actual[sequence][i], 5e-6);
            }
        }

        Assert.Equal(actual, run.Execute(fixture.Device, run.TogetherInChunks(3), blockSeed: 2));
    }

    /// <summary>Heads, elements of a key, of a value, rotated dimensions, cache.</summary>
    public static TheoryData<int, int, int, int, string> LatentShapes => new()
    {
        { 4, 40, 32, 8, nameof(DType.F32) },
        { 11, 23, 17, 6, nameof(DType.F32) },
        { 3, 24, 13, 0, nameof(DType.BF16) },
        { 2, 33, 32, 0, nameof(DType.F8E4M3) },
    };

    [Theory, MemberData(nameof(LatentShapes))]
    public void Attention_over_a_latent_cache_is_that_of_the_scalar_twin(
        int heads, int headDim, int valueDim, int rotaryDim, string cache)
    {
        var settings = new AttentionSettings(heads, 1 / MathF.Sqrt(headDim)) { CacheScales = new(0.5f, 1) };
        var run = new PagedRun(settings, 1, headDim, rotaryDim, [21, 1, 16, 5], Enum.Parse<DType>(cache)) { LatentDim = valueDim };
        var expected = run.Expected();

        var actual = run.Execute(fixture.Device, run.AtOnce(), blockSeed: 1);

        for (var sequence = 0; sequence < expected.Length; sequence++)
        {
            for (var i = 0; i < expected[sequence].Length; i++)
            {
                Assert.Equal(expected[sequence][i], actual[sequence][i], 5e-6);
            }
        }

        Assert.Equal(actual, run.Execute(fixture.Device, run.TogetherInChunks(3), blockSeed: 2));
    }

    [Theory, InlineData(16, false), InlineData(6, true)]
    public void Norms_with_rotation_and_cache_have_the_bits_of_one_after_the_other(int rotaryDim, bool interleaved)
    {
        const int Heads = 4, KvHeads = 2, HeadDim = 16, Rows = 5;
        var random = new Random(rotaryDim);
        var x = HostTensors.Random(random, Rows * (Heads + 2 * KvHeads) * HeadDim);
        float[] queryNorm = HostTensors.Random(random, HeadDim), keyNorm = HostTensors.Random(random, HeadDim);
        var frequencies = new RopeFrequencies([.. Enumerable.Range(1, rotaryDim / 2).Select(i => 1f / i)], 1.5f, 40)
        {
            FirstDim = HeadDim - rotaryDim,
            Interleaved = interleaved,
        };
        var device = fixture.Device;
        float[] Run(bool asOne)
        {
            var cache = device.Backend.AllocateKvCache(new KvCacheLayout(1, KvHeads, HeadDim, 16, 2, DType.BF16));
            var qkv = device.Floats(x, Rows, (Heads + 2 * KvHeads) * HeadDim);
            Tensor query = device.Floats(queryNorm, 1, HeadDim), key = device.Floats(keyNorm, 1, HeadDim);
            Tensor numbers = device.Integers(Rows, 1, 0, 1, 2, 3, 4), slots = device.Integers(Rows, 1, 16, 17, 18, -1, 19);
            var inputs = new AttentionInputs(
                numbers, slots, device.Integers(2, 1, 0, Rows), device.Integers(1, 1, Rows), device.Integers(1, 1, 1), Rows, Rows);
            var rope = device.Backend.LoadRope(frequencies);
            if (asOne)
            {
                device.Backend.NormRopeAndCache(qkv, query, key, 1e-5f, rope, inputs, cache, 0);
            }
            else
            {
                device.Backend.RmsNormHeads(qkv, Heads, query, KvHeads, key, 1e-5f);
                device.Backend.RopeAndCache(qkv, rope, inputs, cache, 0);
            }

            var output = device.Empty(Rows, Heads * HeadDim);
            var read = inputs with { SlotMapping = numbers, Positions = device.Integers(Rows, 1, 0, 1, 2, 2, 3) };
            device.Backend.PagedAttention(qkv, read, cache, 0, new AttentionSettings(Heads, 0.25f), output);
            return [.. device.Read(qkv), .. device.Read(output)];
        }

        Assert.Equal(Run(asOne: false), Run(asOne: true));
    }

    [Theory, InlineData(0, false), InlineData(5, true)]
    public void Heads_are_rotated_in_place_and_the_others_left_alone(int firstDim, bool interleaved)
    {
        const int HeadDim = 19, Rows = 3;
        var x = HostTensors.Random(new Random(firstDim), Rows * 4 * HeadDim);
        var frequencies = new RopeFrequencies([1, 0.3f, 0.01f, 0.002f, 1e-4f, 1e-5f, 1e-6f], 1.5f, 900)
        {
            FirstDim = firstDim,
            Interleaved = interleaved,
        };
        Same(1e-6, device =>
        {
            var heads = device.Floats(x, Rows, 4 * HeadDim);
            device.Backend.Rotate(heads, device.Backend.LoadRope(frequencies), device.Integers(Rows, 1, 0, 5, 899), 1, 2, HeadDim);
            return [heads];
        });
    }

    [Fact]
    public void Bits_of_attention_do_not_depend_on_batch_chunks_or_blocks_nor_on_who_walks_the_stretches()
    {
        // Over more than a stretch of 256 tokens a row's stretches may be shared out when it is alone; in a large step they are walked.
        var length = LongContext;
        var run = new PagedRun(new AttentionSettings(2, 0.3f), 1, 8, 8, [length, 19]) { Sinks = [1, -2] };
        var steps = run.AtOnce().ToArray();
        var reference = run.Execute(fixture.Device, steps, blockSeed: 1);

        var inPieces = run.Execute(
            fixture.Device,
            [
                [new(0, 0, length - 10), new(1, 0, 19)], [new(0, length - 10, 7)], [new(0, length - 3, 2)], [new(0, length - 1, 1)],
            ],
            blockSeed: 2);

        Assert.Equal(reference, inPieces);
    }

    [Fact]
    public void Blocks_are_copied_in_order_in_every_layer()
    {
        var layout = new KvCacheLayout(2, 1, 12, 16, 4, DType.F32);
        var settings = new AttentionSettings(1, 1);
        Same(2e-6, device =>
        {
            var cache = device.Backend.AllocateKvCache(layout);
            var outputs = new List<Tensor>();
            for (var layer = 0; layer < 2; layer++)
            {
                Tensor Rows(params int[] values) => device.Integers(values.Length, 1, values);
                var qkv = device.Floats(HostTensors.Random(new Random(layer), 2 * 36), 2, 36);
                var written = new AttentionInputs(Rows(0, 0), Rows(5, 21), Rows(0, 1, 2), Rows(1, 1), device.Integers(2, 1, 0, 1), 1, 1);
                device.Backend.RopeAndCache(qkv, null, written, cache, layer);

                // 0 → 2 → 3, then 1 overwrites 2.
                device.Backend.CopyKvBlocks(cache, device.Integers(3, 2, 0, 2, 2, 3, 1, 2));
                var read = written with { Positions = Rows(5, 5), BlockTables = device.Integers(2, 1, 2, 3), MaxContextLength = 6 };
                var output = device.Empty(2, 12);
                device.Backend.PagedAttention(qkv, read, cache, layer, settings, output);
                outputs.Add(output);
            }

            return [.. outputs];
        });
    }

    private static PagedRun Run(
        int heads, int kvHeads, int headDim, int rotaryDim, int window, float softCap, float slope, string cache, int[] lengths) => new(
        new AttentionSettings(heads, 1 / MathF.Sqrt(headDim), window, softCap), kvHeads, headDim, rotaryDim, lengths,
        Enum.Parse<DType>(cache), slope == 0 ? null : [.. Enumerable.Range(1, heads).Select(head => slope * head / heads)]);
}
