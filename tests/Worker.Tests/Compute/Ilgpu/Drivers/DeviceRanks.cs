using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch.Cuda;
using Cluster.Worker.Compute.Ilgpu.Launch.Gpu;

namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

/// <summary>Ranks with a fake GPU each, that talk through its NCCL on their kernels' own streams.</summary>
internal static class DeviceRanks
{
    /// <summary>The device of the rank whose end of a group on the host is given.</summary>
    public static IlgpuBackend Create(FakeGpu gpu, Communicator communicator)
    {
        var device = CudaDevice.All([gpu.LibraryPath])[communicator.Rank];
        var launcher = new GpuLauncher(
            new CudaDriver(device), new CudaImages(device.Target, KernelCache.OfEnvironment()), device.MatrixCores);
        return new IlgpuBackend(
            launcher,
            new IlgpuOptions
            {
                Communicator = communicator,
                Devices = new NcclCommunicator(NcclLibrary.Load([gpu.LibraryPath]), communicator),
            });
    }
}
