using System.Text.Json;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Verification;

namespace Cluster.Worker.Tests.Models.Verification;

/// <summary>Whole checkpoints against the results of Hugging Face transformers. A backend is put to these tests by a class that makes
/// it.</summary>
[Trait(Category.Name, Category.Slow)]
public abstract class GoldenTests
{
    private const float Tolerance = 2e-3f;

    /// <summary>Every architecture. The first random goldens come from models cast to bf16 as a whole, rotary frequencies included; haiku's
    /// and the later ones do not.</summary>
    public static TheoryData<string, string> Goldens { get; } = new()
    {
        { "haiku-1m", nameof(DType.F32) },
        { "llama2", nameof(DType.BF16) },
        { "llama3.1", nameof(DType.BF16) },
        { "llama-tied", nameof(DType.BF16) },
        { "mistral", nameof(DType.BF16) },
        { "mixtral", nameof(DType.BF16) },
        { "qwen2", nameof(DType.BF16) },
        { "qwen3", nameof(DType.BF16) },
        { "qwen3-moe", nameof(DType.BF16) },
        { "gemma2", nameof(DType.BF16) },
        { "phi", nameof(DType.BF16) },
        { "bloom", nameof(DType.F32) },
        { "opt", nameof(DType.F32) },

        { "gemma", nameof(DType.F32) },
        { "gemma3", nameof(DType.F32) },
        { "gemma3-multimodal", nameof(DType.F32) },
        { "phi3", nameof(DType.F32) },
        { "phi4-mini", nameof(DType.F32) },
        { "glm4", nameof(DType.F32) },
        { "olmo2", nameof(DType.F32) },
        { "olmo3", nameof(DType.F32) },
        { "granite", nameof(DType.F32) },
        { "cohere", nameof(DType.F32) },
        { "cohere2", nameof(DType.F32) },
        { "smollm3", nameof(DType.F32) },
        { "starcoder2", nameof(DType.F32) },
        { "falcon", nameof(DType.F32) },
        { "falcon-new", nameof(DType.F32) },
        { "gpt-neox", nameof(DType.F32) },
        { "gptj", nameof(DType.F32) },
        { "gpt2", nameof(DType.F32) },
        { "gpt-bigcode", nameof(DType.F32) },
        { "stablelm", nameof(DType.F32) },
        { "ernie4.5", nameof(DType.F32) },
        { "exaone4", nameof(DType.F32) },
        { "seed-oss", nameof(DType.F32) },
        { "hunyuan", nameof(DType.F32) },
        { "nemotron", nameof(DType.F32) },
        { "arcee", nameof(DType.F32) },
        { "ministral3", nameof(DType.F32) },
        { "mistral3-multimodal", nameof(DType.F32) },
        { "qwen2.5-vl", nameof(DType.F32) },
        { "mpt", nameof(DType.F32) },
        { "apertus", nameof(DType.F32) },
        { "internlm-llama-bias", nameof(DType.F32) },

        { "qwen2-moe", nameof(DType.F32) },
        { "olmoe", nameof(DType.F32) },
        { "granitemoe", nameof(DType.F32) },
        { "phimoe", nameof(DType.F32) },
        { "glm4-moe", nameof(DType.F32) },
        { "dots1", nameof(DType.F32) },
        { "ernie4.5-moe", nameof(DType.F32) },
        { "minimax-m2", nameof(DType.F32) },
        { "gpt-oss", nameof(DType.F32) },
        { "llama4", nameof(DType.F32) },
        { "llama4-multimodal", nameof(DType.F32) },
        { "deepseek-v2", nameof(DType.F32) },
        { "deepseek-v3", nameof(DType.F32) },
    };

    public static MatrixTheoryData<string, int> Chunks { get; } = new([.. Goldens.Select(row => row.Data.Item1)], [1, 7, 16]);

    private protected abstract Backend CreateBackend();

    [Theory, MemberData(nameof(Goldens))]
    public void Logits_and_greedy_tokens_are_those_of_the_reference_implementation(string name, string ropeFrequencyDType)
    {
        var golden = GoldenFile.Open(Fixtures.Golden(name));

        var result = GoldenVerification.Verify(Fixtures.Checkpoint(name), golden, CreateBackend, Tolerance);

        Assert.True(result.Passes(Tolerance), $"{name}: {result}");
        Assert.Equal(golden.Count * golden.Steps, result.GreedyTotal);
        Assert.Equal(ropeFrequencyDType, result.RopeFrequencyDType.ToString());
        Assert.True(result.MaxAbsDiff > 0, "an exact match means that nothing was compared");
    }

    [Theory, MemberData(nameof(Chunks))]
    public void Prefill_in_chunks_gives_the_same_bits_as_prefill_in_one_step(string name, int chunkSize)
    {
        var golden = GoldenFile.Open(Fixtures.Golden(name));
        using var model = ModelLoader.Load(Fixtures.Checkpoint(name), CreateBackend(), golden.RunnerOptions());

        ChunkedPrefill.AssertSameBits(model.Runner, golden, chunkSize);
        Assert.Equal(GoldenVerification.Run(model.Runner, golden), GoldenVerification.Run(model.Runner, golden, chunkSize));
    }

    [Fact]
    public void Perplexity_is_that_of_the_reference_implementation()
    {
        using var expected = JsonDocument.Parse(File.ReadAllBytes(Fixtures.HaikuExpected));
        var perplexity = expected.RootElement.GetProperty("perplexity");
        var ids = perplexity.GetProperty("input_ids").EnumerateArray().Select(id => id.GetInt32()).ToArray();
        var window = perplexity.GetProperty("window").GetInt32();
        var options = new ModelRunnerOptions { MaxSequences = 1, MaxBatchedTokens = window, MaxLogits = window, MaxModelLength = window };
        using var model = ModelLoader.Load(Fixtures.Haiku, CreateBackend(), options);

        Assert.Equal(perplexity.GetProperty("value").GetDouble(), Perplexity.Evaluate(model.Runner, ids, window), 5e-5);
    }
}
