using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Verification;
using Cluster.Worker.Tests.Models.Quantization;

namespace Cluster.Worker.Tests.Models.Verification;

/// <summary>A reply may move to a machine with other vectors: AVX-512, AVX2 and a processor with neither give the same logits, bit by
/// bit, of every architecture, every format of weights and every type of cache.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class VectorWidthTests
{
    public static TheoryData<string> Goldens { get; } = [.. GoldenTests.Goldens.Select(row => row.Data.Item1)];

    public static TheoryData<string> Formats { get; } = [.. QuantizedCheckpoints.Names];

    public static TheoryData<string> Caches { get; } =
        [nameof(DType.F32), nameof(DType.BF16), nameof(DType.F16), nameof(DType.F8E4M3), nameof(DType.F8E5M2)];

    [Theory, MemberData(nameof(Goldens))]
    public void Every_architecture_has_the_same_bits_at_every_width(string name) =>
        AssertSameBits(Fixtures.Checkpoint(name), Fixtures.Golden(name));

    [Theory, MemberData(nameof(Formats))]
    public void Every_format_of_weights_has_the_same_bits_at_every_width(string name) =>
        AssertSameBits(QuantizedCheckpoints.Folder(name), QuantizedCheckpoints.Golden(name));

    [Theory, MemberData(nameof(Caches))]
    public void Every_type_of_cache_has_the_same_bits_at_every_width(string dtype) =>
        AssertSameBits(Fixtures.Haiku, Fixtures.Golden("haiku-1m"), Enum.Parse<DType>(dtype));

    private static void AssertSameBits(string folder, string goldenFile, DType? cache = null)
    {
        var golden = GoldenFile.Open(goldenFile);
        var expected = Logits(VectorWidth.Bits512, folder, golden, cache);

        Assert.Equal(expected, Logits(VectorWidth.Bits256, folder, golden, cache));
        Assert.Equal(expected, Logits(VectorWidth.Scalar, folder, golden, cache));
    }

    /// <summary>As bits: 0 and −0 differ.</summary>
    private static int[] Logits(VectorWidth width, string folder, GoldenFile golden, DType? cache)
    {
        var backend = CpuBackend.Create(new CpuOptions { Threads = 1, MemoryBytes = 1L << 30, Width = width });
        var options = golden.RunnerOptions();
        using var model = ModelLoader.Load(folder, backend, cache is { } dtype ? options with { KvCacheDType = dtype } : options);
        var sequence = new PackedSequences(model.Runner, 1, golden.PromptLength);
        sequence.Add(0, golden.Prompt(0).AsSpan(..^1));
        float[] logits = [.. sequence.Run()];
        sequence.Add(0, golden.Prompt(0).AsSpan(^1..));
        return [.. logits.Concat(sequence.Run().ToArray()).Select(BitConverter.SingleToInt32Bits)];
    }
}
