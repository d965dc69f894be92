using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

/// <summary>Keeps the names of the kernels that are launched, in order.</summary>
internal sealed class CountingLauncher(IKernelLauncher inner) : DelegatingLauncher(inner)
{
    public List<string> Launched { get; } = [];

    public override void Launch(Kernel kernel, GridSize grid, params ReadOnlySpan<KernelArgument> arguments)
    {
        Launched.Add(kernel.Name);
        base.Launch(kernel, grid, arguments);
    }
}
