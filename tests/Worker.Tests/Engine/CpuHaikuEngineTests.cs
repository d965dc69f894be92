using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Tests.Models;

namespace Cluster.Worker.Tests.Engine;

/// <summary>The engine on the CPU backend.</summary>
public sealed class CpuHaikuEngineTests : HaikuEngineTests
{
    private protected override IModelRunner Load(ModelRunnerOptions options) =>
        ModelLoader.Load(Fixtures.Haiku, CpuBackend.Create(new CpuOptions()), options).Runner;
}
