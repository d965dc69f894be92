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
    [InlineData("llama2", 0)]
    [InlineData("llama2", 8192)]
    [InlineData("mixtral", 8192)]
    public void Two_devices_give_the_reference_logits_with_graphs_and_without(string name, int maxLengthToCapture)
    {
        _gpu.SetDevices(2);
        var golden = GoldenFile.Open(Fixtures.Golden(name));
        var result = GoldenVerification.Verify(
            Fixtures.Checkpoint(name), golden,
            (config, weights, options) => TensorParallelModel.Load(
                config, weights, ThreadCommunicator.CreateGroup(2, TimeSpan.FromMinutes(2)), Create,
                options with { MaxLengthToCapture = maxLengthToCapture }).Runner,
            Tolerance);

        Assert.True(result.Passes(Tolerance), $"{name}: {result}");
        Assert.Equal(golden.Count * golden.Steps, result.GreedyTotal);
        Assert.Equal(maxLengthToCapture > 0, _gpu.Replays > 0);
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
