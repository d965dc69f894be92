using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Models.Verification;
using Cluster.Worker.Tests.Models;

namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

/// <summary>Whole models through HIP on matrix cores against the results of Hugging Face transformers.</summary>
[Trait(Category.Name, Category.Interpreter)]
public sealed class HipGoldenTests
{
    [Theory]
    [InlineData("llama2", false, 2e-3f)]
    [InlineData("mixtral", false, 2e-3f)]
    [InlineData("gemma2", false, 2e-3f)]
    [InlineData("qwen3", false, 2e-3f)]
    [InlineData("llama3.1", true, 5e-2f)]
    public void Logits_are_those_of_the_reference_implementation(string name, bool rounds, float tolerance)
    {
        var golden = GoldenFile.Open(Fixtures.Golden(name));
        var result = GoldenVerification.Verify(
            Fixtures.Checkpoint(name), golden, () => HipFixture.Make(new IlgpuOptions { RoundsActivations = rounds }), tolerance);

        Assert.True(result.Passes(tolerance) || (rounds && result.MaxAbsDiff < tolerance), $"{name}: {result}");
        Assert.Equal("", HipFixture.Text);
    }
}
