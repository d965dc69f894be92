using System.Collections.Immutable;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>How the inputs of a layer are ordered and cut, so that what is scaled together is summed together.</summary>
/// <remarks>
/// Inputs are sorted by their groups, which changes something with act-order only; a group is filled up to whole words with inputs that do
/// not exist, and cut into segments of at most <see cref="MostInputs"/>:
/// <code>
/// groups of inputs   0 0 0 1 1 1 1 1 1 1 1 1 0 0 0
/// order              0 1 2 12 13 14 - - │ 3 4 5 6 7 8 9 10 11 - - - - - - -
/// </code>
/// </remarks>
/// <param name="Order">The input at each place, or -1; empty where it is the place itself, but for the end.</param>
/// <param name="Ends">Where each segment ends, in places.</param>
/// <param name="Groups">The group of each segment.</param>
internal sealed record Segments(ImmutableArray<int> Order, ImmutableArray<int> Ends, ImmutableArray<int> Groups)
{
    /// <summary>Inputs of a segment: their weights as floats take half of L1, and rounded to 16 bits times codes of 8 bits they sum to 31
    /// bits.</summary>
    public const int MostInputs = 256;

    /// <summary>Segments have a multiple of so many places: whole words of 4 and of 8 bits.</summary>
    public const int Unit = 8;

    /// <summary>Places of inputs, those without one included.</summary>
    public int Length => Ends[^1];

    /// <returns>Null where each code becomes a weight before it is multiplied.</returns>
    public static Segments? Of(QuantizedMatrix matrix) => matrix switch
    {
        Fp8Matrix or BlockFp8Matrix or GroupedMatrix or Mxfp4Matrix => Of(matrix.InFeatures, matrix.GroupOf),
        SuperblockMatrix superblocks => Of(matrix.InFeatures, matrix.GroupOf, SuperblockPacker.UnitOf(superblocks.Bits)),
        _ => null,
    };

    /// <param name="groupOf">The group of each input; empty where all share one.</param>
    /// <param name="unit">What a segment has a multiple of: a multiple of <see cref="Unit"/>.</param>
    public static Segments Of(int inFeatures, ImmutableArray<int> groupOf, int unit = Unit)
    {
        var order = ImmutableArray.CreateBuilder<int>();
        var ends = ImmutableArray.CreateBuilder<int>();
        var groups = ImmutableArray.CreateBuilder<int>();
        var inputs = Enumerable.Range(0, inFeatures);
        foreach (var group in inputs.GroupBy(k => groupOf.IsEmpty ? 0 : groupOf[k]).OrderBy(group => group.Key))
        {
            foreach (var segment in group.Chunk(MostInputs))
            {
                order.AddRange(segment);
                order.AddRange(Enumerable.Repeat(-1, (unit - segment.Length % unit) % unit));
                ends.Add(order.Count);
                groups.Add(group.Key);
            }
        }

        var isPlain = order.Take(inFeatures).SequenceEqual(inputs);
        return new Segments(isPlain ? [] : order.ToImmutable(), ends.ToImmutable(), groups.ToImmutable());
    }

    /// <summary>The input at a place; -1 for none.</summary>
    public int InputAt(int place, int inFeatures) => Order.IsEmpty ? place < inFeatures ? place : -1 : Order[place];
}
