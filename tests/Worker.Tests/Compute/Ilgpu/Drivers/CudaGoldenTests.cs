using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Models.Verification;
using Cluster.Worker.Tests.Models;
using Cluster.Worker.Tests.Models.Layers;

namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

/// <summary>Whole models as PTX against the results of Hugging Face transformers.</summary>
[Trait(Category.Name, Category.Interpreter)]
public sealed class CudaGoldenTests
{
    private const float Tolerance = 2e-3f;

    [Theory, InlineData("llama2"), InlineData("mixtral")]
    public void Logits_and_greedy_tokens_are_those_of_the_reference_implementation(string name)
    {
        var result = Verify(name, () => CudaFixture.Make());

        Assert.True(result.Passes(Tolerance), $"{name}: {result}");
        Assert.Equal("", CudaFixture.Text);
    }

    /// <summary>Both differ by what inputs of 8 bits make of them; the order of sums adds little to that.</summary>
    [Fact]
    public void With_rounded_inputs_logits_are_as_near_as_those_of_the_scalar_twin_that_rounds_the_same()
    {
        const string Name = "llama3.1";
        var expected = Verify(Name, () => new ReferenceBackend { RoundsInputs = true });
        var launchers = new List<CountingLauncher>();
        var result = Verify(Name, () =>
        {
            launchers.Add(new CountingLauncher(CudaFixture.Launcher()));
            return new IlgpuBackend(launchers[^1], new IlgpuOptions { RoundsActivations = true });
        });
        var launched = launchers.SelectMany(launcher => launcher.Launched).ToArray();

        Assert.True(expected.MaxAbsDiff > 10 * Tolerance, $"{Name}, scalar twin: {expected}");
        Assert.True(result.MaxAbsDiff < 1.25f * expected.MaxAbsDiff, $"{Name}: {result}, scalar twin: {expected}");
        Assert.Contains(launched, name => name.StartsWith("WarpLinear.MultiplyGated(", StringComparison.Ordinal));
        Assert.DoesNotContain(launched, name => name.StartsWith("Linear.", StringComparison.Ordinal));
        Assert.Equal("", CudaFixture.Text);
    }

    private static GoldenResult Verify(string name, Func<Backend> backend) =>
        GoldenVerification.Verify(Fixtures.Checkpoint(name), GoldenFile.Open(Fixtures.Golden(name)), backend, Tolerance);
}
