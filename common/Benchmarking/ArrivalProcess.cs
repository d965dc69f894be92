namespace Cluster.Common.Benchmarking;

/// <summary>When requests are sent. Gaps are gamma-distributed with a mean of 1/rate: burstiness 1 is a Poisson process, less is burstier,
/// more is more even.</summary>
internal static class ArrivalProcess
{
    /// <param name="requestsPerSecond">Infinity sends everything at once.</param>
    /// <param name="burstiness">The gamma distribution's shape, above 0.</param>
    /// <returns>Seconds from the start, ascending; the first is 0.</returns>
    public static double[] Generate(int count, double requestsPerSecond, double burstiness, Random random)
    {
        var arrivals = new double[count];
        if (double.IsPositiveInfinity(requestsPerSecond))
        {
            return arrivals;
        }

        var scale = 1 / (requestsPerSecond * burstiness);
        for (var i = 1; i < count; i++)
        {
            arrivals[i] = arrivals[i - 1] + (Gamma(burstiness, random) * scale);
        }

        return arrivals;
    }

    /// <summary>A gamma variate of scale 1: Marsaglia and Tsang, "A simple method for generating gamma variables" (2000).</summary>
    internal static double Gamma(double shape, Random random)
    {
        if (shape < 1)
        {
            // Their section 6: a variate of shape + 1, scaled by a power of a uniform one.
            return Gamma(shape + 1, random) * Math.Pow(1 - random.NextDouble(), 1 / shape);
        }

        var d = shape - (1 / 3.0);
        var c = 1 / Math.Sqrt(9 * d);
        while (true)
        {
            var x = Normal(random);
            var v = 1 + (c * x);
            if (v <= 0)
            {
                continue;
            }

            v = v * v * v;
            if (Math.Log(1 - random.NextDouble()) < (0.5 * x * x) + d - (d * v) + (d * Math.Log(v)))
            {
                return d * v;
            }
        }
    }

    /// <summary>Box and Muller's transform; 1 - u keeps the logarithm's argument above 0.</summary>
    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
