using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Compile.Amd;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Compute.Ilgpu.Launch.Cuda;
using Cluster.Worker.Compute.Ilgpu.Launch.Gpu;
using Cluster.Worker.Compute.Ilgpu.Launch.Hip;
using Cluster.Worker.Compute.Ilgpu.Launch.OpenCl;

namespace Cluster.Worker.Startup;

/// <summary>A device that a driver shows, and how to run kernels on it. Found for <see cref="BackendFactory"/>, and for
/// <see cref="SeenDevices"/> to list.</summary>
/// <param name="MatrixCores">That its launcher will have.</param>
/// <param name="Open">Makes a launcher, which may fail with <see cref="NotSupportedException"/> or
/// <see cref="InvalidOperationException"/>.</param>
internal sealed record GpuChoice(DeviceDescription Description, MatrixCores MatrixCores, Func<IKernelLauncher> Open)
{
    /// <summary>What a value of <c>--device</c> can take here, GPUs first.</summary>
    /// <param name="option">One of <see cref="DeviceNames.Gpus"/>.</param>
    /// <exception cref="InvalidOperationException">The driver fails.</exception>
    /// <exception cref="NotSupportedException">The driver's library is too old.</exception>
    public static IReadOnlyList<GpuChoice> Find(string option) => option switch
    {
        DeviceNames.Hip =>
            [.. HipDevice.All().Select(device => new GpuChoice(device.Description, device.MatrixCores, () => Launch(device)))],
        DeviceNames.Cuda =>
            [.. CudaDevice.All().Select(device => new GpuChoice(device.Description, device.MatrixCores, () => Launch(device)))],
        _ =>
        [
            .. OpenClDevice.All().Select(device => new GpuChoice(
                device.Description, device.MatrixCores, () => new OpenClLauncher(device, KernelCache.OfEnvironment()))),
        ],
    };

    /// <summary>What to do where <see cref="Find"/> finds nothing.</summary>
    public static string Advice(string option) => Blind(option) ?? option switch
    {
        DeviceNames.Hip => $"there is no HIP ({string.Join(", ", HipLibrary.FileNames)}): AMD GPUs need ROCm's runtime (hip-runtime-amd)",
        DeviceNames.Cuda =>
            $"there is no CUDA driver ({string.Join(", ", CudaLibrary.FileNames)}): NVIDIA GPUs need NVIDIA's driver, in a container its "
            + "runtime",
        _ => $"no OpenCL device is visible. {OpenClAdvice.Text}",
    };

    /// <summary>What a driver's library lacks that is there and shows no GPU; null where it is not there.</summary>
    /// <exception cref="NotSupportedException">It is too old.</exception>
    public static string? Blind(string option) => option switch
    {
        DeviceNames.Hip when HipLibrary.Find(HipLibrary.FileNames) is { } library =>
            $"{library.Name} ({library.Version()}) shows no AMD GPU: it needs access to /dev/kfd and /dev/dri, and a GPU that "
            + $"{VisibleDevices.Variable} leaves",
        DeviceNames.Cuda when CudaLibrary.Find(CudaLibrary.FileNames) is { } library =>
            $"{library.Name} ({library.Version()}) shows no NVIDIA GPU: in a container it needs NVIDIA's runtime",
        _ => null,
    };

    private static GpuLauncher Launch(HipDevice device)
    {
        Require(device.Description, device.SharedBytes);
        var architecture = device.Description.Architecture!;
        var images = new HipImages(
            AmdArchitecture.ProcessorOf(architecture), device.Description.Driver,
            PrebuiltKernels.Open(PrebuiltKernels.FolderOfEnvironment), KernelCache.OfEnvironment(),
            () => (ICodeObjectCompiler?)Comgr.Find(Comgr.FileNames) ?? Clang.Find([.. Clang.Programs]));
        return new GpuLauncher(new HipDriver(device), images, device.MatrixCores);
    }

    private static GpuLauncher Launch(CudaDevice device)
    {
        Require(device.Description, device.SharedBytes);
        return new GpuLauncher(new CudaDriver(device), new CudaImages(device.Target, KernelCache.OfEnvironment()), device.MatrixCores);
    }

    private static void Require(DeviceDescription device, long sharedBytes)
    {
        if (sharedBytes < OpenClLauncher.SharedBytesNeeded)
        {
            throw new NotSupportedException(
                $"{device.Name} has {sharedBytes} bytes of shared memory in a group; kernels need {OpenClLauncher.SharedBytesNeeded}");
        }
    }
}
