using System.Text;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Compile.Ptx;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

namespace Cluster.Worker.Compute.Ilgpu.Launch.Cuda;

/// <summary>PTX for NVIDIA GPUs: that of an earlier run, or new.</summary>
/// <param name="target"><c>sm_90</c>.</param>
internal sealed class CudaImages(string target, KernelCache cache) : IKernelImages
{
    public KernelImage Of(Kernel kernel)
    {
        var bytes = cache.GetOrMake(
            ".ptx", [KernelCache.ThisBuild, kernel.Name, target, $"{Wave.MaxWaves}"],
            () => Encoding.UTF8.GetBytes(PtxCompiler.Compile(kernel, target, Wave.MaxWaves)));
        var text = Encoding.UTF8.GetString(bytes);
        try
        {
            return new KernelImage(
                [.. bytes, 0], PtxSource.EntryPoint(text), PtxSource.TargetOf(text), PtxSource.LayoutOf(text, kernel));
        }
        catch (FormatException exception)
        {
            throw new KernelBuildException($"kernel {kernel}: {exception.Message}", exception);
        }
    }
}
