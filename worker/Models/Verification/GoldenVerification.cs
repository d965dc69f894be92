using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Config;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Verification;

/// <summary>Runs the prompts of a golden file through the paged path of a <see cref="ModelRunner"/>, all in one batch: prefill, then greedy
/// decoding step by step. Called by <c>worker verify</c> and the tests.</summary>
internal static class GoldenVerification
{
    /// <summary>Loads a checkpoint and verifies it: what <c>worker verify</c> does.</summary>
    /// <remarks>A golden file does not say how its maker's model was brought to bf16. Where results with exact constants (rotary
    /// frequencies above all) do not pass, those with constants rounded to bf16 are compared too; the result says when it took them. See
    /// <see cref="ModelConfig.WithConstantsRoundedTo"/>.</remarks>
    /// <param name="folder">A Hugging Face checkpoint.</param>
    /// <param name="load">Called once for each attempt; the runner is disposed here.</param>
    /// <param name="tolerance">Maximum difference between a logit and its reference.</param>
    /// <param name="cache">Element type of the KV cache.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FormatException">Configuration, weights or golden file are wrong, or do not belong together.</exception>
    public static GoldenResult Verify(
        string folder, GoldenFile golden, RunnerLoader load, float tolerance, int? chunkSize = null, DType cache = DType.F32)
    {
        var exact = Verify(folder, golden, load, DType.F32, chunkSize, cache);
        if (exact.Passes(tolerance))
        {
            return exact;
        }

        var rounded = Verify(folder, golden, load, DType.BF16, chunkSize, cache);
        return rounded.Passes(tolerance) ? rounded : exact;
    }

    /// <summary>The same on one device.</summary>
    public static GoldenResult Verify(
        string folder, GoldenFile golden, Func<Backend> createBackend, float tolerance, int? chunkSize = null, DType cache = DType.F32) =>
        Verify(folder, golden, (config, weights, options) => ModelLoader.Load(config, weights, createBackend(), options).Runner, tolerance,
            chunkSize, cache);

    /// <param name="runner">Made with <see cref="GoldenFile.RunnerOptions"/>, or with more room.</param>
    /// <param name="chunkSize">Most prompt tokens of a sequence in one step; null takes as many as a step holds.</param>
    /// <exception cref="CheckpointFormatException">The golden file does not belong to a model of this vocabulary.</exception>
    public static GoldenResult Run(IModelRunner runner, GoldenFile golden, int? chunkSize = null)
    {
        CheckVocabulary(runner, golden);
        var sequences = new PackedSequences(runner, golden.Count, golden.PromptLength + golden.Steps);
        var next = new int[golden.Count];
        var difference = Prefill(runner, golden, sequences, chunkSize ?? int.MaxValue, next);
        return new GoldenResult(golden.HasLogits ? difference : null, Decode(runner, golden, sequences, next), golden.Count * golden.Steps);
    }

    private static GoldenResult Verify(
        string folder, GoldenFile golden, RunnerLoader load, DType ropeFrequencyDType, int? chunkSize, DType cache)
    {
        var (config, weights) = ModelLoader.Open(folder);
        config = config.WithConstantsRoundedTo(ropeFrequencyDType);
        using var runner = load(config, weights, golden.RunnerOptions() with { KvCacheDType = cache });
        return Run(runner, golden, chunkSize) with { RopeFrequencyDType = ropeFrequencyDType };
    }

    /// <param name="next">Receives the greedy token after each prompt.</param>
    /// <returns>The largest difference of a logit.</returns>
    private static float Prefill(IModelRunner runner, GoldenFile golden, PackedSequences sequences, int chunkSize, int[] next)
    {
        var prompts = Enumerable.Range(0, golden.Count).Select(golden.Prompt).ToArray();
        var done = new int[golden.Count];
        var step = new List<(int Sequence, int Begin, int Count)>();
        var difference = 0f;
        while (true)
        {
            step.Clear();
            for (var i = 0; i < prompts.Length; i++)
            {
                var count = Math.Min(Math.Min(chunkSize, golden.PromptLength - done[i]), sequences.FreeRows);
                if (count > 0)
                {
                    sequences.Add(i, prompts[i].AsSpan(done[i], count));
                    step.Add((i, done[i], count));
                    done[i] += count;
                }
            }

            if (step.Count == 0)
            {
                return difference;
            }

            var logits = sequences.Run();
            foreach (var (sequence, begin, count) in step)
            {
                if (golden.HasLogits)
                {
                    for (var i = 0; i < count; i++)
                    {
                        difference = MathF.Max(
                            difference,
                            MaxAbsDiff(logits.Slice(i * runner.VocabSize, runner.VocabSize), golden.Logits(sequence, begin + i)));
                    }
                }

                next[sequence] = ArgMax(logits.Slice((count - 1) * runner.VocabSize, runner.VocabSize));
                logits = logits[(count * runner.VocabSize)..];
            }
        }
    }

    /// <param name="next">The greedy token after each prompt; the model continues with its own choices, as when it serves.</param>
    /// <returns>Tokens equal to the reference's.</returns>
    private static int Decode(IModelRunner runner, GoldenFile golden, PackedSequences sequences, int[] next)
    {
        var expected = Enumerable.Range(0, golden.Count).Select(golden.Greedy).ToArray();
        var matches = 0;
        for (var step = 0; step < golden.Steps; step++)
        {
            for (var i = 0; i < next.Length; i++)
            {
                matches += next[i] == expected[i][step] ? 1 : 0;
                sequences.Add(i, next.AsSpan(i, 1));
            }

            var logits = sequences.Run();
            for (var i = 0; i < next.Length; i++)
            {
                next[i] = ArgMax(logits.Slice(i * runner.VocabSize, runner.VocabSize));
            }
        }

        return matches;
    }

    private static void CheckVocabulary(IModelRunner runner, GoldenFile golden)
    {
        if (golden.HasLogits && golden.Logits(0, 0).Length != runner.VocabSize)
        {
            throw new CheckpointFormatException(
                golden.Path, "logits", $"has {golden.Logits(0, 0).Length} columns; the model's vocabulary has {runner.VocabSize}");
        }

        for (var i = 0; i < golden.Count; i++)
        {
            var foreign = Array.FindIndex(golden.Prompt(i), id => (uint)id >= (uint)runner.VocabSize);
            if (foreign >= 0)
            {
                throw new CheckpointFormatException(
                    golden.Path, "input_ids", $"has id {golden.Prompt(i)[foreign]}; the model's vocabulary has {runner.VocabSize}");
            }
        }
    }

    private static float MaxAbsDiff(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected)
    {
        var difference = 0f;
        for (var i = 0; i < actual.Length; i++)
        {
            // MathF.Max keeps a NaN, which then fails any tolerance.
            difference = MathF.Max(difference, MathF.Abs(actual[i] - expected[i]));
        }

        return difference;
    }

    /// <summary>The first of the largest, as torch.argmax and greedy sampling choose.</summary>
    private static int ArgMax(ReadOnlySpan<float> logits)
    {
        var best = 0;
        for (var i = 1; i < logits.Length; i++)
        {
            if (logits[i] > logits[best])
            {
                best = i;
            }
        }

        return best;
    }
}
