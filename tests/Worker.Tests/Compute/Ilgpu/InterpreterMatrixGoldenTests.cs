using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Launch.Interpreter;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Verification;
using Cluster.Worker.Tests.Models;
using Cluster.Worker.Tests.Models.Verification;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>Whole checkpoints through the kernels for matrix cores, whose instructions the interpreter takes apart.</summary>
[Trait(Category.Name, Category.Interpreter)]
public sealed class InterpreterMatrixGoldenTests
{
    private const float Tolerance = 2e-3f;

    [Theory, InlineData("llama2"), InlineData("mixtral")]
    public void Logits_are_those_of_the_reference_implementation_and_the_same_in_chunks(string name)
    {
        var golden = GoldenFile.Open(Fixtures.Golden(name));
        var result = GoldenVerification.Verify(Fixtures.Checkpoint(name), golden, Create, Tolerance);

        Assert.True(result.Passes(Tolerance), $"{name}: {result}");
        using var model = ModelLoader.Load(Fixtures.Checkpoint(name), Create(), golden.RunnerOptions());
        ChunkedPrefill.AssertSameBits(model.Runner, golden, chunkSize: 7);
    }

    private static IlgpuBackend Create() => new(new InterpreterLauncher(1L << 30, hasMatrixCores: true), new IlgpuOptions());
}
