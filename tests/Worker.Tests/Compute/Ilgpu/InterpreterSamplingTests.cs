using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Launch.Interpreter;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>Sampling by kernels that are interpreted.</summary>
[Trait(Category.Name, Category.Interpreter)]
public sealed class InterpreterSamplingTests : SamplingTests
{
    private protected override int NumDraws => 40;

    private protected override Backend Create() => new IlgpuBackend(new InterpreterLauncher(256 << 20), new IlgpuOptions());
}
