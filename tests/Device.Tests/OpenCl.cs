using Cluster.Worker.Compute;
using Cluster.Worker.Startup;

namespace Cluster.Device.Tests;

/// <summary>The device that these tests are run on: what <c>--device opencl</c> takes.</summary>
internal static class OpenCl
{
    public static Backend Create() => BackendFactory.For(new DeviceOptions("opencl")).Create();
}
