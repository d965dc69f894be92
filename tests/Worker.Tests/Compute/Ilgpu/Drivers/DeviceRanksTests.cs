using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Launch.Cuda;
using Cluster.Worker.Compute.Ilgpu.Launch.Gpu;
using Cluster.Worker.Models.Parallel;
using Cluster.Worker.Models.Verification;
using Cluster.Worker.Tests.Models;

namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

/// <summary>Two ranks with a fake GPU each, that talk through its NCCL on their kernels' own streams.</summary>
[Trait(Category.Name, Category.Interpreter)]
public sealed class DeviceRanksTests : IDisposable
{
    private const float Tolerance = 2e-3f;

    private readonly FakeGpu _gpu = FakeGpu.Cuda();

    public void Dispose() => _gpu.Dispose();

    [Theory]
    [InlineData("llama2")]
    [InlineData("mixtral")]
    public void Two_devices_give_the_reference_logits_kernel_by_kernel(string name)
    {
        _gpu.SetDevices(2);
        var golden = GoldenFile.Open(Fixtures.Golden(name));
        var result = GoldenVerification.Verify(
            Fixtures.Checkpoint(name), golden,
            (config, weights, options) => TensorParallelModel.Load(
                config, weights, ThreadCommunicator.CreateGroup(2, TimeSpan.FromMinutes(2)), Create,
                options with { MaxLengthToCapture = 8192 }).Runner,
            Tolerance);

        Assert.True(result.Passes(Tolerance), $"{name}: {result}");
        Assert.Equal(golden.Count * golden.Steps, result.GreedyTotal);
        Assert.Equal(0, _gpu.Replays);
        Assert.Contains("ranks: rank 0 of 2 on device 0, NCCL_MIN_NCHANNELS not set", _gpu.Text);
        Assert.Contains("ranks: rank 1 of 2 on device 1", _gpu.Text);
        Assert.DoesNotContain("complaint", _gpu.Text);
    }

    private IlgpuBackend Create(Communicator communicator)
    {
        var device = CudaDevice.All([_gpu.LibraryPath])[communicator.Rank];
        var launcher = new GpuLauncher(
            new CudaDriver(device), new CudaImages(device.Target, KernelCache.OfEnvironment()), hasMatrixCores: false);
        return new IlgpuBackend(
            launcher,
            new IlgpuOptions
            {
                Communicator = communicator,
                Devices = new NcclCommunicator(NcclLibrary.Load([_gpu.LibraryPath]), communicator),
            });
    }
}
