using System.Text.Json;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Compute.Cpu.Simd;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Verification;
using Cluster.Worker.Tests.Models.Layers;
using Cluster.Worker.Tests.Models.Verification;

namespace Cluster.Worker.Tests.Models.Quantization;

/// <summary>Whole quantized checkpoints against the logits of their dequantized twins.</summary>
public sealed class QuantizedGoldenTests
{
    /// <summary>What is asked for.</summary>
    private const float AskedTolerance = 5e-3f;

    /// <summary>Weight-only arithmetic in fp32 has no excuse for more than this.</summary>
    private const float Tolerance = 1e-4f;

    public static MatrixTheoryData<string, string> Checkpoints => new(QuantizedCheckpoints.Names, ["cpu", "reference"]);

    public static MatrixTheoryData<string, int> Chunks => new(QuantizedCheckpoints.Names, [1, 7, 16]);

    public static TheoryData<string> Names => [.. QuantizedCheckpoints.Names];

    public static TheoryData<string> NamesOfFloatInputs => [.. QuantizedCheckpoints.Names.Where(name => name != "ct-w8a8")];

    public static TheoryData<string> Haiku => [.. QuantizedCheckpoints.Haiku];

    /// <summary>Bytes that all weights of haiku-1m keep. Unquantized they are 2 263 552, of which 271 872 are norms and the embedding,
    /// which is the output matrix, too, quantized in no format; the rest is 5 layers of 196 608 weights for 1280 outputs, each with a bias
    /// of 4 bytes:
    /// <code>
    /// FP8      a byte a weight, 4 an output, 8 a segment of 256 inputs (one, two in down_proj); in blocks 8 a block of inputs, and in
    ///          each panel of 32 outputs room for the scales of its blocks (4 a block of outputs and of 128 inputs), filled up to 64 bytes
    /// 8 bits   a byte a weight, 2 an output, 8 a segment; where inputs are integers of 8 bits as well, 4 an output
    /// 4 bits   half a byte a weight, 2 an output and group (4 groups of 32 inputs, 12 in down_proj), or 4 with zeros, 8 a group;
    ///          in act-order 4 an input more, and gate_proj and up_proj group theirs differently, so they share no order
    /// lookup   half a byte a weight, 32 an output
    /// </code>
    /// The 4 layers of gpt-oss-mxfp4 have 4 experts of 192 · 64 + 64 · 96 weights in MXFP4: half a byte a weight, one an output and
    /// group of 32 inputs, 4 an output for biases and 8 a group; all else is in bf16.</summary>
    public static TheoryData<string, long> Residence => new()
    {
        { "awq", 912_832 },
        { "ct-w4a16", 851_392 },
        { "ct-w4a16-asym", 912_832 },
        { "ct-w8a16", 1_293_512 },
        { "ct-w8a8", 1_306_112 },
        { "fp8-block", 1_319_152 },
        { "fp8-compressed-tensors", 1_306_312 },
        { "fp8-dynamic", 1_306_312 },
        { "fp8-static", 1_306_312 },
        { "gpt-oss-mxfp4", 445_632 },
        { "gptq", 851_392 },
        { "gptq-act-order", 869_472 },
        { "quark-fp8-kv", 1_306_312 },
        { "squeezellm", 993_792 },
    };

    [Theory, MemberData(nameof(Checkpoints))]
    public void Logits_are_those_of_the_dequantized_model(string name, string backend)
    {
        var result = GoldenVerification.Verify(
            QuantizedCheckpoints.Folder(name), GoldenFile.Open(QuantizedCheckpoints.Golden(name)), () => Create(backend), Tolerance);

        Assert.True(result.Passes(Tolerance), $"{name}: {result}");
        Assert.True(result.MaxAbsDiff > 0, "an exact match means that nothing was compared");
        Assert.Equal(DType.F32, result.RopeFrequencyDType);
    }

    [Theory, MemberData(nameof(NamesOfFloatInputs))]
    public void Inputs_rounded_to_16_bits_change_logits_by_less_than_what_is_asked_for(string name)
    {
        var golden = GoldenFile.Open(QuantizedCheckpoints.Golden(name));
        using var model = ModelLoader.Load(
            QuantizedCheckpoints.Folder(name), Create("cpu"), golden.RunnerOptions() with { RoundsInputs = true });
        AtEveryPosition(golden, model.Runner, (expected, actual) =>
            Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, AskedTolerance)));
    }

    [Theory, MemberData(nameof(Chunks))]
    public void Prefill_in_chunks_of_rounded_inputs_gives_the_same_bits(string name, int chunkSize)
    {
        var golden = GoldenFile.Open(QuantizedCheckpoints.Golden(name));
        using var model = ModelLoader.Load(
            QuantizedCheckpoints.Folder(name), Create("cpu"), golden.RunnerOptions() with { RoundsInputs = true });

        ChunkedPrefill.AssertSameBits(model.Runner, golden, chunkSize);
    }

    [Theory, MemberData(nameof(Names))]
    public void The_greedy_token_at_every_position_is_that_of_the_dequantized_model(string name)
    {
        var golden = GoldenFile.Open(QuantizedCheckpoints.Golden(name));
        using var model = ModelLoader.Load(QuantizedCheckpoints.Folder(name), Create("cpu"), golden.RunnerOptions());
        AtEveryPosition(golden, model.Runner, (expected, actual) => Assert.Equal(ArgMax(expected), ArgMax(actual)));
    }

    [Theory, MemberData(nameof(Chunks))]
    public void Prefill_in_chunks_gives_the_same_bits_as_prefill_in_one_step(string name, int chunkSize)
    {
        var golden = GoldenFile.Open(QuantizedCheckpoints.Golden(name));
        using var model = ModelLoader.Load(QuantizedCheckpoints.Folder(name), Create("cpu"), golden.RunnerOptions());

        ChunkedPrefill.AssertSameBits(model.Runner, golden, chunkSize);
    }

    [Theory, MemberData(nameof(Haiku))]
    public void Perplexity_stays_within_a_percent_of_the_unquantized_model(string name)
    {
        var (actual, expected) = Perplexities(QuantizedCheckpoints.Folder(name), DType.F32);

        Assert.Equal(expected, actual, expected / 100);
    }

    [Theory, InlineData(nameof(DType.BF16)), InlineData(nameof(DType.F16))]
    public void Perplexity_stays_within_a_thousandth_with_a_16_bit_cache(string dtype)
    {
        var (actual, expected) = Perplexities(Fixtures.Haiku, Enum.Parse<DType>(dtype));

        Assert.Equal(expected, actual, expected / 1000);
    }

    [Theory, InlineData(nameof(DType.F8E4M3)), InlineData(nameof(DType.F8E5M2))]
    public void Perplexity_stays_within_a_percent_with_an_fp8_cache(string dtype)
    {
        var (actual, expected) = Perplexities(Fixtures.Haiku, Enum.Parse<DType>(dtype));

        Assert.Equal(expected, actual, expected / 100);
        Assert.NotEqual(expected, actual, 5e-5);
    }

    [Theory, InlineData(nameof(DType.F8E4M3)), InlineData(nameof(DType.F8E5M2))]
    public void An_fp8_cache_gives_the_logits_of_the_scalar_twin(string dtype)
    {
        var golden = GoldenFile.Open(Fixtures.Golden("haiku-1m"));
        var options = golden.RunnerOptions() with { KvCacheDType = Enum.Parse<DType>(dtype) };
        float[][] logits = [.. new[] { "cpu", "reference" }.Select(backend =>
        {
            using var model = ModelLoader.Load(Fixtures.Haiku, Create(backend), options);
            var sequence = new PackedSequences(model.Runner, 1, golden.PromptLength);
            sequence.Add(0, golden.Prompt(0));
            return sequence.Run().ToArray();
        })];

        // A key that lies on two sides of a boundary by a rounding error moves by a whole step of the cache's type.
        Assert.True(logits[0].Zip(logits[1], (a, b) => Math.Abs(a - b)).Max() < 0.25);
        Assert.True(logits[0].Zip(logits[1], (a, b) => Math.Abs(a - b)).Average() < 5e-3);
    }

    [Fact]
    public void Rounded_inputs_give_the_logits_of_the_scalar_twin_and_stay_near_those_of_floats()
    {
        var golden = GoldenFile.Open(QuantizedCheckpoints.Golden("ct-w8a8"));
        var options = golden.RunnerOptions() with { RoundsInputs = true };
        float[][] logits = [.. new[] { "cpu", "reference" }.Select(backend =>
        {
            using var model = ModelLoader.Load(QuantizedCheckpoints.Folder("ct-w8a8"), Create(backend), options);
            Assert.Contains("inputs rounded to 8 bits", model.WeightFormat, StringComparison.Ordinal);
            var sequence = new PackedSequences(model.Runner, 1, golden.PromptLength);
            sequence.Add(0, golden.Prompt(0));
            return sequence.Run().ToArray();
        })];

        // An input that lies on two sides of a boundary by a rounding error moves by a whole step.
        var differences = logits[0].Zip(logits[1], (a, b) => Math.Abs(a - b)).ToArray();
        Assert.True(differences.Max() < 0.1, $"{differences.Max()}");
        Assert.True(differences.Average() < 5e-3, $"{differences.Average()}");

        var vocabulary = logits[0].Length / golden.PromptLength;
        var fromFloats = logits[0].Select((value, i) => Math.Abs(value - golden.Logits(0, i / vocabulary)[i % vocabulary])).ToArray();
        Assert.InRange(fromFloats.Average(), 1e-3, 0.1);
    }

    [Theory, MemberData(nameof(Residence))]
    public void Weights_stay_packed_in_memory(string name, long bytes)
    {
        using var model = ModelLoader.Load(
            QuantizedCheckpoints.Folder(name),
            CpuBackend.Create(new CpuOptions { Threads = 2, MemoryBytes = 1L << 30, Width = VectorWidth.Bits512 }),
            new ModelRunnerOptions { MaxBatchedTokens = 16, MaxSequences = 1, MaxModelLength = 32 });

        Assert.Equal(bytes, model.ResidentWeightBytes);
    }

    internal static (double Actual, double Expected) Perplexities(string folder, DType cache, string quantization = "auto")
    {
        using var reference = JsonDocument.Parse(File.ReadAllBytes(Fixtures.HaikuExpected));
        var perplexity = reference.RootElement.GetProperty("perplexity");
        var ids = perplexity.GetProperty("input_ids").EnumerateArray().Select(id => id.GetInt32()).ToArray();
        var window = perplexity.GetProperty("window").GetInt32();
        var options = new ModelRunnerOptions
        {
            MaxSequences = 1,
            MaxBatchedTokens = window,
            MaxLogits = window,
            MaxModelLength = window,
            KvCacheDType = cache,
            Quantization = quantization,
        };
        using var model = ModelLoader.Load(folder, Create("cpu"), options);
        return (Perplexity.Evaluate(model.Runner, ids, window), perplexity.GetProperty("value").GetDouble());
    }

    /// <summary>The file's logits and the runner's, at each position of each prompt.</summary>
    private static void AtEveryPosition(GoldenFile golden, IModelRunner runner, Action<float[], float[]> compare)
    {
        for (var prompt = 0; prompt < golden.Count; prompt++)
        {
            var sequence = new PackedSequences(runner, 1, golden.PromptLength);
            sequence.Add(0, golden.Prompt(prompt));
            var logits = sequence.Run();
            for (var position = 0; position < golden.PromptLength; position++)
            {
                compare(
                    golden.Logits(prompt, position).ToArray(),
                    logits.Slice(position * runner.VocabSize, runner.VocabSize).ToArray());
            }
        }
    }

    private static int ArgMax(ReadOnlySpan<float> logits)
    {
        var best = 0;
        for (var i = 1; i < logits.Length; i++)
        {
            best = logits[i] > logits[best] ? i : best;
        }

        return best;
    }

    private static Backend Create(string name) =>
        name == "cpu" ? CpuBackend.Create(new CpuOptions { Threads = 2, MemoryBytes = 1L << 30 }) : new ReferenceBackend();
}
