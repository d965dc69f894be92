using Cluster.Worker.Models.Running;
using Cluster.Worker.Tests.Engine;
using Cluster.Worker.Tests.Models;

namespace Cluster.Device.Tests;

/// <summary>The engine on an OpenCL device.</summary>
public sealed class OpenClHaikuEngineTests : HaikuEngineTests
{
    private protected override IModelRunner Load(ModelRunnerOptions options) =>
        ModelLoader.Load(Fixtures.Haiku, OpenCl.Create(), options).Runner;
}
