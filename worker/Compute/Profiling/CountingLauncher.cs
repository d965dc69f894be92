using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Compute.Profiling;

/// <summary>Counts launches. Graphs would hide them, so that nothing is captured through it.</summary>
internal sealed class CountingLauncher(IKernelLauncher inner) : DelegatingLauncher(inner)
{
    /// <summary>So far.</summary>
    public long Launches { get; private set; }

    public override void Launch(Kernel kernel, GridSize grid, params ReadOnlySpan<KernelArgument> arguments)
    {
        Launches += grid.IsEmpty ? 0 : 1;
        base.Launch(kernel, grid, arguments);
    }
}
