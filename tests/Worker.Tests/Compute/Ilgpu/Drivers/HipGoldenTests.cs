using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Models.Verification;
using Cluster.Worker.Tests.Models;
using Cluster.Worker.Tests.Models.Layers;

namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

/// <summary>Whole models through HIP on matrix cores against the results of Hugging Face transformers.</summary>
[Trait(Category.Name, Category.Interpreter)]
public sealed class HipGoldenTests
{
    private const float Tolerance = 2e-3f;

    [Theory, InlineData("mixtral"), InlineData("gemma2")]
    public void Logits_are_those_of_the_reference_implementation(string name)
    {
        var result = Verify(name, () => HipFixture.Make());

        Assert.True(result.Passes(Tolerance), $"{name}: {result}");
        Assert.Equal("", HipFixture.Text);
    }

    /// <summary>Both differ by what inputs of 8 bits make of them; the order of sums adds little to that.</summary>
    [Fact]
    public void With_rounded_inputs_logits_are_as_near_as_those_of_the_scalar_twin_that_rounds_the_same()
    {
        const string Name = "llama3.1";
        var expected = Verify(Name, () => new ReferenceBackend { RoundsInputs = true });
        var result = Verify(Name, () => HipFixture.Make(new IlgpuOptions { RoundsActivations = true }));

        Assert.True(expected.MaxAbsDiff > 10 * Tolerance, $"{Name}, scalar twin: {expected}");
        Assert.True(result.MaxAbsDiff < 1.25f * expected.MaxAbsDiff, $"{Name}: {result}, scalar twin: {expected}");
        Assert.Equal("", HipFixture.Text);
    }

    private static GoldenResult Verify(string name, Func<Backend> backend) =>
        GoldenVerification.Verify(Fixtures.Checkpoint(name), GoldenFile.Open(Fixtures.Golden(name)), backend, Tolerance);
}
