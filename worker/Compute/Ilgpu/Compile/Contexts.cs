using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU;

namespace Cluster.Worker.Compute.Ilgpu.Compile;

/// <summary>ILGPU contexts with our intrinsics.</summary>
internal static class Contexts
{
    /// <param name="devices">Adds devices; null where only code is made.</param>
    public static Context Create(Action<Context.Builder>? devices = null) => Context.Create(builder =>
    {
        devices?.Invoke(builder);
        builder.Optimize(OptimizationLevel.O2).Inlining(InliningMode.Aggressive).Math(MathMode.Default).AddIntrinsics();
    });
}
