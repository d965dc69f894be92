using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Models.Parallel;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Verification;
using Cluster.Worker.Tests.Models;

namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

/// <summary>Whole models on ranks with a fake GPU each: one without matrix instructions, which take long to interpret.</summary>
[Trait(Category.Name, Category.Interpreter)]
public sealed class DeviceRanksTests : IDisposable
{
    private const float Tolerance = 2e-3f;

    private readonly FakeGpu _gpu = FakeGpu.Cuda("sm_75");

    public void Dispose() => _gpu.Dispose();

    [Theory]
    [InlineData("llama2")]
    [InlineData("mixtral")]
    public void Two_devices_give_the_reference_logits_with_their_decode_steps_as_graphs(string name)
    {
        _gpu.SetDevices(2);
        var golden = GoldenFile.Open(Fixtures.Golden(name));
        var result = GoldenVerification.Verify(
            Fixtures.Checkpoint(name), golden,
            (config, weights, options) => TensorParallelModel.Load(
                config, weights, ThreadCommunicator.CreateGroup(2, TimeSpan.FromMinutes(2)), end => DeviceRanks.Create(_gpu, end),
                options with { MaxLengthToCapture = 8192 }).Runner,
            Tolerance);

        Assert.True(result.Passes(Tolerance), $"{name}: {result}");
        Assert.Equal(golden.Count * golden.Steps, result.GreedyTotal);
        Assert.True(_gpu.Replays > 2 && _gpu.Replays % 2 == 0, $"{_gpu.Replays} replays");
        Assert.Contains("ranks: rank 0 of 2 on device 0, NCCL_MIN_NCHANNELS not set", _gpu.Text);
        Assert.Contains("ranks: rank 1 of 2 on device 1", _gpu.Text);
        Assert.DoesNotContain("complaint", _gpu.Text);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void Replayed_steps_have_the_bits_of_computed_ones(int ranks)
    {
        _gpu.SetDevices(ranks);
        var eager = Run(ranks, 0);
        Assert.Equal(0, _gpu.Replays);
        var captured = Run(ranks, 8192);

        Assert.Equal(eager, captured);
        Assert.True(_gpu.Replays > 4 * ranks && _gpu.Replays % ranks == 0, $"{_gpu.Replays} replays");
        Assert.DoesNotContain("complaint", _gpu.Text);
    }

    private float[] Run(int ranks, int maxLengthToCapture)
    {
        var (config, weights) = ModelLoader.Open(Fixtures.Checkpoint("llama2"));
        using var model = TensorParallelModel.Load(
            config, weights, ThreadCommunicator.CreateGroup(ranks, TimeSpan.FromMinutes(2)),
            end => DeviceRanks.Create(_gpu, end), GraphTests.Options(maxLengthToCapture));
        return GraphTests.Decode(model.Runner, GoldenFile.Open(Fixtures.Golden("llama2")).Prompt(0));
    }
}
