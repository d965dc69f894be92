using Cluster.Worker.Models.Running;
using Cluster.Worker.Models.Verification;

namespace Cluster.Worker.Tests.Models.Verification;

/// <summary>The logits of a prompt do not depend on how many of its tokens are in a step, nor on what else is.</summary>
internal static class ChunkedPrefill
{
    /// <summary>Compares the first prompt of a golden file alone in one step with the same in chunks.</summary>
    public static void AssertSameBits(IModelRunner runner, GoldenFile golden, int chunkSize)
    {
        var length = golden.PromptLength;
        var whole = new PackedSequences(runner, 1, length);
        whole.Add(0, golden.Prompt(0));
        var expected = whole.Run().ToArray();

        var chunked = new PackedSequences(runner, 2, length);
        var actual = new List<float>();
        for (var begin = 0; begin < length; begin += chunkSize)
        {
            // A neighbour of another shape in every step must not matter either.
            var count = Math.Min(chunkSize, length - begin);
            chunked.Add(1, golden.Prompt(1).AsSpan(begin, Math.Max(1, count / 2)));
            chunked.Add(0, golden.Prompt(0).AsSpan(begin, count));
            actual.AddRange(chunked.Run()[(Math.Max(1, count / 2) * runner.VocabSize)..]);
        }

        Assert.Equal(expected, actual);
    }
}
