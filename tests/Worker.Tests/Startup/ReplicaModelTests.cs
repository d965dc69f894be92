using Cluster.Worker.Engine;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Startup;
using Cluster.Worker.Tests.Models;

namespace Cluster.Worker.Tests.Startup;

public sealed class ReplicaModelTests
{
    [Fact]
    public void A_model_that_does_not_fit_is_told_with_what_takes_the_memory()
    {
        var terabytes = new ModelRunnerOptions { NumBlocks = int.MaxValue / 16, MaxSequences = 1, MaxBatchedTokens = 16 };

        var refused = Assert.Throws<StartupException>(() => Load("cpu", terabytes, _ => { }));

        Assert.Matches("^model .*haiku-1m does not fit the device: .*kv cache.* bytes", refused.Message);
        Assert.DoesNotContain('\n', refused.Message);
    }

    [Fact]
    public void Beyond_the_CPU_the_start_log_counts_blocks_as_vLLM_does()
    {
        var log = new List<string>();
        var few = new ModelRunnerOptions { NumBlocks = 7, MaxSequences = 1, MaxBatchedTokens = 16, MaxModelLength = 64 };

        Load("interpreter", few, log.Add).Runner.Dispose();

        Assert.Contains("# GPU blocks: 7, # CPU blocks: 0", log);
        Assert.Contains("dtype auto: weights as stored (bfloat16), activations float32", log);
        Assert.Contains(log, line => line.StartsWith("KV cache: 7 blocks", StringComparison.Ordinal) && line.Contains("BF16"));
    }

    private static ReplicaModel Load(string device, ModelRunnerOptions runner, Action<string> log) => ReplicaModel.Load(
        new StartupOptions(
            Fixtures.Haiku, new DeviceOptions(device), new RankOptions(1, null, TimeSpan.FromSeconds(30)), runner, new EngineOptions()),
        new ModelFolders(Fixtures.Haiku), null, null, log);
}
