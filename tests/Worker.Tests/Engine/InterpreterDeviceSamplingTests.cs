using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Launch.Interpreter;

namespace Cluster.Worker.Tests.Engine;

/// <summary>The engine on kernels that are interpreted.</summary>
[Trait(Category.Name, Category.Interpreter)]
public sealed class InterpreterDeviceSamplingTests : DeviceSamplingTests
{
    /// <summary>Few: a step takes a second. The first kinds are those that the device serves.</summary>
    private protected override int NumRequests => 2;

    private protected override int NumTokens => 2;

    private protected override Backend Create() => new IlgpuBackend(new InterpreterLauncher(256 << 20), new IlgpuOptions());
}
