using Cluster.Worker.Compute.Cpu;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Verification;

namespace Cluster.Worker.Tests.Models.Gguf;

/// <summary>The most probable continuation of a prompt.</summary>
internal static class Greedy
{
    public static int[] Continue(ModelConfig config, WeightSource weights, IReadOnlyList<int> prompt, int count)
    {
        var length = prompt.Count + count;
        using var model = ModelLoader.Load(
            config, weights, CpuBackend.Create(new CpuOptions { Threads = 2, MemoryBytes = 1L << 30 }),
            new ModelRunnerOptions { MaxBatchedTokens = length, MaxLogits = length, MaxSequences = 1, MaxModelLength = length });
        var sequence = new PackedSequences(model.Runner, 1, length);
        sequence.Add(0, [.. prompt]);
        List<int> tokens = [];
        while (tokens.Count < count)
        {
            var logits = sequence.Run();
            tokens.Add(Largest(logits[^model.Runner.VocabSize..]));
            sequence.Add(0, [tokens[^1]]);
        }

        return [.. tokens];
    }

    private static int Largest(ReadOnlySpan<float> logits)
    {
        var best = 0;
        for (var i = 1; i < logits.Length; i++)
        {
            best = logits[i] > logits[best] ? i : best;
        }

        return best;
    }
}
