using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Tests.Models.Layers;

/// <summary>A step on the processor with all of its data, from the batch to the logits.</summary>
public sealed class CpuDecodeStepTests
{
    private static readonly ModelRunnerOptions Options = new()
    {
        MaxBatchedTokens = 64,
        MaxSequences = 4,
        MaxModelLength = 200,
        NumBlocks = 1024,
    };

    public static TheoryData<string> Names => [.. ForwardPassTests.Names.Select(row => row.Data),
        "quantized/gptq", "quantized/awq", "quantized/fp8-static", "quantized/fp8-block", "quantized/ct-w8a16", "quantized/gpt-oss-mxfp4"];

    [Theory, MemberData(nameof(Names))]
    public void Allocates_no_byte(string name)
    {
        // One thread does everything here, so that everything is counted; with two the caller waits for the other, too.
        foreach (var threads in new[] { 1, 2 })
        {
            var backend = CpuBackend.Create(new CpuOptions { Threads = threads });
            using var model = ModelLoader.Load(Fixtures.Checkpoint(name), backend, Options);
            var batch = ForwardPassTests.Batch(model.Runner.KvGroups, (20, 1), (40, 1), (7, 1));
            void Step()
            {
                model.Runner.Launch(batch);
                _ = model.Runner.WaitForLogits();
            }

            Step();
            Step();
            Assert.Equal(0, Allocations.Least(() =>
            {
                for (var i = 0; i < 20; i++)
                {
                    Step();
                }
            }));
        }
    }
}
