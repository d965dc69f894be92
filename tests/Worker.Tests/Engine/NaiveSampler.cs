using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Engine;

/// <summary>The sampler's rules written the slow and obvious way, in double precision: a distribution over the vocabulary.</summary>
internal static class NaiveSampler
{
    public static double[] Adjust(float[] logits, SamplingParameters sampling, int[] prompt, int[] output, int[] stopTokens)
    {
        var adjusted = logits.Select(logit => (double)logit).ToArray();
        if (output.Length < sampling.MinTokens)
        {
            foreach (var token in stopTokens)
            {
                adjusted[token] = double.NegativeInfinity;
            }
        }

        foreach (var (token, bias) in sampling.LogitBias ?? new Dictionary<int, float>())
        {
            adjusted[token] += Math.Clamp(bias, -100, 100);
        }

        for (var token = 0; token < adjusted.Length; token++)
        {
            if (prompt.Contains(token) || output.Contains(token))
            {
                adjusted[token] = adjusted[token] > 0
                    ? adjusted[token] / sampling.RepetitionPenalty
                    : adjusted[token] * sampling.RepetitionPenalty;
            }

            var count = output.Count(other => other == token);
            adjusted[token] -= sampling.FrequencyPenalty * count + (count > 0 ? sampling.PresencePenalty : 0);
        }

        return adjusted;
    }

    /// <summary>By random number, the token that min_p and top_p draw from single-precision weights: all tokens in order, the tail cut off
    /// where the mass is reached.</summary>
    public static Func<double, int> FullSort(float[] logits, SamplingParameters sampling)
    {
        var filled = new TokenWeights(logits.Length);
        filled.Fill(logits, logits.Max(), sampling.Temperature);
        var weights = filled.Values.ToArray().Select(weight => weight >= sampling.MinP ? (decimal)weight : 0).ToArray();
        var target = (decimal)(double)sampling.TopP * weights.Sum();
        var mass = 0m;
        var kept = Enumerable.Range(0, logits.Length).OrderByDescending(token => logits[token]).ThenBy(token => token)
            .TakeWhile(token => (mass += weights[token]) - weights[token] < target).ToHashSet();
        var total = kept.Sum(token => weights[token]);
        return random =>
        {
            var sum = 0m;
            return Enumerable.Range(0, logits.Length)
                .First(token => kept.Contains(token) && (sum += weights[token]) > (decimal)random * total);
        };
    }

    /// <summary>Probability of each token; the truncation's boundary is decided on (probability down, token up).</summary>
    public static double[] Distribution(double[] adjusted, SamplingParameters sampling)
    {
        var max = adjusted.Max();
        var weights = adjusted.Select(logit => Math.Exp((logit - max) / sampling.Temperature)).ToArray();
        var order = Enumerable.Range(0, weights.Length).OrderByDescending(token => adjusted[token]).ThenBy(token => token)
            .Where(token => weights[token] >= sampling.MinP).ToList();
        if (sampling.TopK > 0)
        {
            order = [.. order.Take(sampling.TopK)];
        }

        var kept = new List<int>();
        var target = sampling.TopP * order.Sum(token => weights[token]);
        var mass = 0.0;
        foreach (var token in order)
        {
            if (mass >= target * (1 - 1e-12) && sampling.TopP < 1)
            {
                break;
            }

            kept.Add(token);
            mass += weights[token];
        }

        var total = kept.Sum(token => weights[token]);
        return [.. weights.Select((weight, token) => kept.Contains(token) ? weight / total : 0)];
    }
}
