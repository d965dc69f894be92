using Cluster.Worker.Compute;
using Cluster.Worker.Tests.Compute.Ilgpu;

namespace Cluster.Device.Tests;

/// <summary>A backend that all tests of a class share.</summary>
public sealed class OpenClFixture : DeviceFixture
{
    private protected override Backend Create() => OpenCl.Create();
}
