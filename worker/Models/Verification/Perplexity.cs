using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Verification;

/// <summary>How well a model predicts a text: exp of the mean negative log-likelihood of its tokens. Called by tests and
/// evaluation.</summary>
internal static class Perplexity
{
    /// <summary>Cuts the text into windows, each a sequence of its own, whose first token is not scored. A last window may be
    /// shorter.</summary>
    /// <param name="runner">Must take sequences of <paramref name="window"/> tokens.</param>
    /// <exception cref="ArgumentException">The text has no token to score, or the runner cannot hold a window.</exception>
    public static double Evaluate(IModelRunner runner, ReadOnlySpan<int> ids, int window)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(window, 2);
        ArgumentOutOfRangeException.ThrowIfLessThan(ids.Length, 2);
        var (sum, scored) = (0.0, 0);
        for (; ids.Length > 1; ids = ids[Math.Min(window, ids.Length)..])
        {
            var tokens = ids[..Math.Min(window, ids.Length)];
            sum += NegativeLogLikelihood(runner, tokens);
            scored += tokens.Length - 1;
        }

        return Math.Exp(sum / scored);
    }

    private static double NegativeLogLikelihood(IModelRunner runner, ReadOnlySpan<int> tokens)
    {
        var sequence = new PackedSequences(runner, 1, tokens.Length);
        var sum = 0.0;

        // The last token is predicted but predicts nothing that is known.
        for (var begin = 0; begin < tokens.Length - 1;)
        {
            var count = Math.Min(sequence.FreeRows, tokens.Length - 1 - begin);
            sequence.Add(0, tokens.Slice(begin, count));
            var logits = sequence.Run();
            for (var i = 0; i < count; i++)
            {
                sum -= LogProbability(logits.Slice(i * runner.VocabSize, runner.VocabSize), tokens[begin + i + 1]);
            }

            begin += count;
        }

        return sum;
    }

    private static double LogProbability(ReadOnlySpan<float> logits, int token)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(token);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(token, logits.Length);
        var max = float.NegativeInfinity;
        foreach (var logit in logits)
        {
            max = MathF.Max(max, logit);
        }

        var sum = 0.0;
        foreach (var logit in logits)
        {
            sum += Math.Exp(logit - max);
        }

        return logits[token] - max - Math.Log(sum);
    }
}
