using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Models.Verification;

namespace Cluster.Worker.Tests.Models.Gguf;

/// <summary>Checkpoints written as GGUF files, against the logits of transformers and of their dequantized twins.</summary>
public sealed class GgufGoldenTests
{
    private const float Tolerance = 5e-4f;

    public static TheoryData<string> Architectures =>
        [
            "haiku-1m", "llama2", "llama3.1", "llama-tied", "mistral", "mixtral", "qwen2", "qwen3", "qwen3-moe", "gemma", "gemma2",
            "gemma3", "phi3", "phi4-mini", "granite", "olmo2", "smollm3", "arcee", "starcoder2", "stablelm", "cohere", "gpt2",
        ];

    [Theory, MemberData(nameof(Architectures))]
    public void A_file_has_the_logits_of_the_folder_it_was_made_of(string name)
    {
        using TemporaryFolder folder = new();
        var file = folder.Write("model.gguf", new GgufExport(Fixtures.Checkpoint(name)).Write("BF16").ToBytes());

        var result = GoldenVerification.Verify(file, GoldenFile.Open(Fixtures.Golden(name)), CreateCpu, Tolerance);

        Assert.True(result.Passes(Tolerance), $"{name}: {result}");
        TestContext.Current.SendDiagnosticMessage($"{name}: {result}");
    }

    private static Backend CreateCpu() => CpuBackend.Create(new CpuOptions { Threads = 2, MemoryBytes = 1L << 30 });
}
