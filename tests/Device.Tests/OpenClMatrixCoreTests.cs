using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Compute.Ilgpu.Launch.OpenCl;
using Cluster.Worker.Tests.Compute.Ilgpu;

namespace Cluster.Device.Tests;

/// <summary>The kernels for matrix cores, taken apart into OpenCL C that any device compiles.</summary>
public sealed class OpenClMatrixLinearTests : MatrixLinearTests
{
    private protected override IKernelLauncher CreateLauncher(int waves) =>
        new OpenClLauncher(OpenClDevice.All()[0], KernelCache.OfEnvironment());
}

/// <summary>Attention on matrix cores, the same way.</summary>
public sealed class OpenClFlashAttentionTests : FlashAttentionTests
{
    private protected override IKernelLauncher CreateLauncher(int waves) =>
        new OpenClLauncher(OpenClDevice.All()[0], KernelCache.OfEnvironment());
}
