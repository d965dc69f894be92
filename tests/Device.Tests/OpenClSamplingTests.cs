using Cluster.Worker.Compute;
using Cluster.Worker.Tests.Compute.Ilgpu;

namespace Cluster.Device.Tests;

/// <summary>Sampling on an OpenCL device.</summary>
public sealed class OpenClSamplingTests : SamplingTests
{
    private protected override int NumDraws => 2000;

    private protected override Backend Create() => OpenCl.Create();
}
