using System.Collections.Immutable;

namespace Cluster.Worker.Compute.Quantized;

/// <summary>Cuts the parts of a linear layer into those that one multiplication can take. Called by backends while weights load.</summary>
internal static class QuantizedRuns
{
    /// <summary>Runs of neighbours whose inputs are grouped alike: act-order may choose an order for each part.</summary>
    public static IEnumerable<ImmutableArray<QuantizedMatrix>> Of(IReadOnlyList<QuantizedMatrix> parts)
    {
        for (var begin = 0; begin < parts.Count;)
        {
            var end = begin + 1;
            while (end < parts.Count && SameGroups(parts[begin], parts[end]))
            {
                end++;
            }

            yield return [.. parts.Skip(begin).Take(end - begin)];
            begin = end;
        }
    }

    private static bool SameGroups(QuantizedMatrix a, QuantizedMatrix b) =>
        a is not GroupedMatrix first || (b is GroupedMatrix second && first.GroupOf.AsSpan().SequenceEqual(second.GroupOf.AsSpan()));
}
