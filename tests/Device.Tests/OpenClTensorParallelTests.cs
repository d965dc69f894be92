using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Models.Parallel;
using Cluster.Worker.Models.Verification;
using Cluster.Worker.Startup;
using Cluster.Worker.Tests.Models;

namespace Cluster.Device.Tests;

/// <summary>Two ranks, each with a queue of its own on the device.</summary>
public sealed class OpenClTensorParallelTests
{
    [Theory, InlineData("llama2"), InlineData("mixtral"), InlineData("qwen2")]
    public void Two_ranks_give_the_reference_logits_and_greedy_tokens(string name)
    {
        var golden = GoldenFile.Open(Fixtures.Golden(name));
        var backends = BackendFactory.For(new DeviceOptions("opencl"), ranks: 2);

        var result = GoldenVerification.Verify(
            Fixtures.Checkpoint(name), golden,
            (config, weights, options) => TensorParallelModel.Load(
                config, weights, ThreadCommunicator.CreateGroup(2, TimeSpan.FromMinutes(2)), backends.Create, options).Runner,
            tolerance: 2e-3f);

        Assert.True(result.Passes(2e-3f), $"{name}: {result}");
        Assert.Equal(golden.Count * golden.Steps, result.GreedyTotal);
    }
}
