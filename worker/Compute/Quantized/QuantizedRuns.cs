using System.Collections.Immutable;

namespace Cluster.Worker.Compute.Quantized;

/// <summary>Cuts the parts of a linear layer into those that one multiplication can take. Called by backends while weights load.</summary>
internal static class QuantizedRuns
{
    /// <summary>Runs of neighbours that one kernel decodes and whose inputs are grouped alike: act-order may choose an order for each part,
    /// and a checkpoint of mixed precision the width of its codes.</summary>
    public static IEnumerable<ImmutableArray<QuantizedMatrix>> Of(IReadOnlyList<QuantizedMatrix> parts)
    {
        for (var begin = 0; begin < parts.Count;)
        {
            var end = begin + 1;
            while (end < parts.Count && AreAlike(parts[begin], parts[end]))
            {
                end++;
            }

            yield return [.. parts.Skip(begin).Take(end - begin)];
            begin = end;
        }
    }

    private static bool AreAlike(QuantizedMatrix a, QuantizedMatrix b) =>
        (a.Kind, a.Bits, a.TableDType, a.Inputs) == (b.Kind, b.Bits, b.TableDType, b.Inputs)
        && a.GroupOf.AsSpan().SequenceEqual(b.GroupOf.AsSpan());
}
