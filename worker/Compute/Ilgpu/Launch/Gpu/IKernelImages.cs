using Cluster.Worker.Compute.Ilgpu.Compile;

namespace Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

/// <summary>Where a launcher's kernels come from: built ahead, kept from an earlier run, or compiled now.</summary>
internal interface IKernelImages
{
    /// <exception cref="KernelBuildException">It cannot be had.</exception>
    KernelImage Of(Kernel kernel);
}
