using Cluster.Worker.Models.Verification;
using Cluster.Worker.Tests.Models;

namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

/// <summary>Whole models as PTX against the results of Hugging Face transformers.</summary>
[Trait(Category.Name, Category.Interpreter)]
public sealed class CudaGoldenTests
{
    private const float Tolerance = 2e-3f;

    [Theory, InlineData("llama2"), InlineData("mixtral"), InlineData("gemma2"), InlineData("qwen3")]
    public void Logits_and_greedy_tokens_are_those_of_the_reference_implementation(string name)
    {
        var golden = GoldenFile.Open(Fixtures.Golden(name));
        var result = GoldenVerification.Verify(Fixtures.Checkpoint(name), golden, () => CudaFixture.Make(), Tolerance);

        Assert.True(result.Passes(Tolerance), $"{name}: {result}");
        Assert.Equal("", CudaFixture.Text);
    }
}
