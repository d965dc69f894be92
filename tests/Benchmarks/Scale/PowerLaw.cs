namespace Cluster.Benchmarks.Scale;

/// <summary>y = c · xᵏ through measured points, by least squares in log-log.</summary>
internal static class PowerLaw
{
    /// <param name="points">At least two, with different x; all values positive.</param>
    /// <returns>k.</returns>
    public static double Exponent(IEnumerable<(double X, double Y)> points)
    {
        var logs = points.Select(p => (X: Math.Log(p.X), Y: Math.Log(p.Y))).ToList();
        double meanX = logs.Average(p => p.X), meanY = logs.Average(p => p.Y);
        return logs.Sum(p => (p.X - meanX) * (p.Y - meanY)) / logs.Sum(p => (p.X - meanX) * (p.X - meanX));
    }
}
