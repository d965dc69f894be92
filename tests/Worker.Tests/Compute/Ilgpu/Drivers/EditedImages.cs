using System.Text;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch.Cuda;
using Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

/// <summary>Kernels with a change in their text.</summary>
internal sealed class EditedImages(CudaImages images, Func<string, string> edit) : IKernelImages
{
    public KernelImage Of(Kernel kernel)
    {
        var image = images.Of(kernel);
        return image with { Bytes = Encoding.UTF8.GetBytes(edit(Encoding.UTF8.GetString(image.Bytes))) };
    }
}
