using System.Globalization;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>Seeds of the property tests: a few by default, more for a long run with CLUSTER_PROPERTY_SEEDS=N.</summary>
internal static class PropertySeeds
{
    public static TheoryData<int> Take(int usual) =>
        [.. Enumerable.Range(
            1,
            int.TryParse(
                Environment.GetEnvironmentVariable("CLUSTER_PROPERTY_SEEDS"), NumberStyles.None, CultureInfo.InvariantCulture,
                out var count) ? Math.Max(count, usual) : usual)];
}
