using Cluster.Worker.Compute;

namespace Cluster.Worker.Tests.Compute.Cpu;

/// <summary>Every kernel once more in plain double precision: the oracle the fast ones are compared with.</summary>
internal static class ScalarTwin
{
    /// <summary>x[m, k] · w[n, k]ᵀ + bias[n].</summary>
    public static double[] Linear(float[] x, float[] w, float[]? bias, int m, int n, int k)
    {
        var output = new double[m * n];
        for (var i = 0; i < m; i++)
        {
            for (var j = 0; j < n; j++)
            {
                double sum = bias?[j] ?? 0;
                for (var l = 0; l < k; l++)
                {
                    sum += (double)x[i * k + l] * w[j * k + l];
                }

                output[i * n + j] = sum;
            }
        }

        return output;
    }

    public static double[] RmsNorm(ReadOnlySpan<double> row, float[] weight, double epsilon)
    {
        double sum = 0;
        foreach (var value in row)
        {
            sum += value * value;
        }

        var scale = 1 / Math.Sqrt(sum / row.Length + epsilon);
        var output = new double[row.Length];
        for (var i = 0; i < row.Length; i++)
        {
            output[i] = row[i] * scale * weight[i];
        }

        return output;
    }

    public static double[] LayerNorm(ReadOnlySpan<double> row, float[] weight, float[] bias, double epsilon)
    {
        var values = row.ToArray();
        var mean = values.Average();
        var scale = 1 / Math.Sqrt(values.Average(value => (value - mean) * (value - mean)) + epsilon);
        return [.. values.Select((value, i) => (value - mean) * scale * weight[i] + bias[i])];
    }

    public static double Activate(Activation activation, double x) => activation switch
    {
        Activation.Silu => x / (1 + Math.Exp(-x)),
        Activation.Gelu => x * NormalCdf(x),
        Activation.GeluTanh => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
        Activation.Sigmoid => 1 / (1 + Math.Exp(-x)),
        Activation.Relu2 => Math.Max(x, 0) * Math.Max(x, 0),
        _ => Math.Max(x, 0),
    };

    /// <summary>As HF activations.py has it, with scalars that are positive already.</summary>
    public static double Xielu(XieluScalars scalars, double x) => x > 0
        ? (scalars.AlphaPositive * x * x) + (scalars.Beta * x)
        : ((Math.Exp(Math.Min(x, scalars.Epsilon)) - 1 - x) * scalars.AlphaNegative) + (scalars.Beta * x);

    /// <summary>gpt-oss's gated non-linearity of one element.</summary>
    public static double ClampedActivation(double gate, double up, double limit)
    {
        var clamped = Math.Min(gate, limit);
        return (Math.Clamp(up, -limit, limit) + 1) * clamped / (1 + Math.Exp(-1.702 * clamped));
    }

    /// <summary>Rotates 2·frequencies elements of a head, half against half or neighbour against neighbour.</summary>
    public static double[] Rotate(
        ReadOnlySpan<float> head, float[] frequencies, double attentionScale, int position, bool interleaved = false, int firstDim = 0)
    {
        var output = new double[head.Length];
        for (var i = 0; i < head.Length; i++)
        {
            output[i] = head[i];
        }

        for (var i = 0; i < frequencies.Length; i++)
        {
            var angle = (double)position * frequencies[i];
            var first = firstDim + (interleaved ? 2 * i : i);
            var second = interleaved ? first + 1 : first + frequencies.Length;
            double x = head[first], y = head[second];
            output[first] = (x * Math.Cos(angle) - y * Math.Sin(angle)) * attentionScale;
            output[second] = (y * Math.Cos(angle) + x * Math.Sin(angle)) * attentionScale;
        }

        return output;
    }

    /// <summary>One query over the keys and values of positions 0 … position.</summary>
    public static double[] Attend(
        double[] query, IReadOnlyList<double[]> keys, IReadOnlyList<double[]> values, int position, AttentionSettings settings,
        double alibiSlope = 0, double? sink = null)
    {
        var first = settings.SlidingWindow == 0 ? 0 : Math.Max(0, position - settings.SlidingWindow + 1);
        first = settings.Chunk == 0 ? first : Math.Max(first, position - position % settings.Chunk);
        var scores = new List<double>();
        for (var j = first; j <= position; j++)
        {
            var score = query.Zip(keys[j], (a, b) => a * b).Sum() * settings.Scale;
            scores.Add(
                (settings.LogitSoftCap == 0 ? score : settings.LogitSoftCap * Math.Tanh(score / settings.LogitSoftCap))
                    + alibiSlope * (j - position));
        }

        var maximum = Math.Max(scores.Max(), sink ?? double.NegativeInfinity);
        var weights = scores.Select(score => Math.Exp(score - maximum)).ToArray();
        var sum = weights.Sum() + (sink is null ? 0 : Math.Exp(sink.Value - maximum));
        return [
            .. Enumerable.Range(0, values[0].Length).Select(d => weights.Select((weight, j) => weight * values[first + j][d]).Sum() / sum)];
    }

    /// <summary>Φ(x): its Taylor series around 0 near the middle, Laplace's continued fraction of the tail outside.</summary>
    private static double NormalCdf(double x)
    {
        var density = Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI);
        if (Math.Abs(x) > 4)
        {
            var fraction = 0.0;
            for (var i = 60; i > 0; i--)
            {
                fraction = i / (Math.Abs(x) + fraction);
            }

            var tail = density / (Math.Abs(x) + fraction);
            return x < 0 ? tail : 1 - tail;
        }

        double term = x, sum = x;
        for (var i = 3; i < 150; i += 2)
        {
            term *= x * x / i;
            sum += term;
        }

        return 0.5 + density * sum;
    }
}
