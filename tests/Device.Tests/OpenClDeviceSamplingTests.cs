using Cluster.Worker.Compute;
using Cluster.Worker.Tests.Engine;

namespace Cluster.Device.Tests;

/// <summary>The engine chooses its tokens on an OpenCL device.</summary>
public sealed class OpenClDeviceSamplingTests : DeviceSamplingTests
{
    private protected override int NumRequests => 16;

    private protected override int NumTokens => 24;

    private protected override Backend Create() => OpenCl.Create();
}
