using System.Collections.Immutable;
using Cluster.Worker.Compute.Cpu.Gemm;
using Cluster.Worker.Compute.Cpu.Memory;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>Stacked quantized matrices in the panels that <see cref="QuantizedGemmJob{V, TSimd, TCodes}"/> decodes, each walked once from
/// front to back. Filled by <see cref="QuantizedPacker"/>.</summary>
/// <remarks>
/// Panels of width 4 (real ones are 32 or 16 wide); a 32-bit word has consecutive k of one output, the first in the low bits:
/// <code>
///         ┌ table                                        ┌ codes: 8 k a word at 4 bits, 4 k at 8 bits
/// panel 0 │FP8:     scale n0│n1│n2│n3│ as F32            │k0-k7: n0│n1│n2│n3│k8-k15: n0│n1│n2│n3│ …
///         │grouped: g0 scale+zero n0│n1│n2│n3│g1: …      │
///         │lookup:  entries 0+1 n0│n1│n2│n3│2+3: …       │
/// panel 1 │n4│n5│n6│n7│ …                  outputs beyond the end are zero
/// </code>
/// Two numbers joined by + share a 32-bit word where they are F16 or BF16, as the k of a pair do in <see cref="PackedWeight"/>.
/// </remarks>
internal sealed unsafe class QuantizedPanels
{
    private readonly NativeMemoryBlock _panels;
    private readonly NativeMemoryBlock _bias;
    private readonly NativeMemoryBlock _groups;

    /// <param name="parts">Of one kind; grouped ones have the same groups.</param>
    /// <param name="firstOutput">Column of the layer's output where these begin.</param>
    /// <param name="allocate">Makes memory of so many bytes.</param>
    public QuantizedPanels(IReadOnlyList<QuantizedMatrix> parts, int firstOutput, int panelWidth, Func<long, NativeMemoryBlock> allocate)
    {
        Kind = parts[0] switch
        {
            GroupedMatrix => QuantizedKind.Grouped,
            LookupMatrix => QuantizedKind.Lookup,
            _ => QuantizedKind.Fp8,
        };
        FirstOutput = firstOutput;
        PanelWidth = panelWidth;
        InFeatures = parts[0].InFeatures;
        OutFeatures = parts.Sum(part => part.OutFeatures);
        Bits = parts[0].Bits;
        TableDType = CommonDType(parts);
        var words = ((long)InFeatures * Bits + 31) / 32;
        TableBytes = panelWidth * parts[0] switch
        {
            GroupedMatrix grouped => 2L * grouped.Groups * TableDType.Size(),
            LookupMatrix => (long)LookupMatrix.Entries * TableDType.Size(),
            _ => sizeof(float),
        };
        PanelBytes = TableBytes + words * panelWidth * sizeof(uint);
        _panels = allocate(PanelCount * PanelBytes);
        _bias = allocate((long)PanelCount * panelWidth * sizeof(float));
        _bias.Clear();
        GroupSize = parts[0] is GroupedMatrix { Groups: var groups, GroupOf: var groupOf } && IsConsecutive(groupOf, InFeatures / groups)
            ? InFeatures / groups
            : 1;
        _groups = allocate(parts[0] is GroupedMatrix ? 2L * Pairs * sizeof(int) : 0);
    }

    public QuantizedKind Kind { get; }

    public int FirstOutput { get; }

    public int PanelWidth { get; }

    public int InFeatures { get; }

    public int OutFeatures { get; }

    public int Bits { get; }

    public DType TableDType { get; }

    public long TableBytes { get; }

    public long PanelBytes { get; }

    public int Pairs => PackedWeight.PairsOf(InFeatures);

    public int PanelCount => PackedWeight.PanelsOf(OutFeatures, PanelWidth);

    public byte* Panels => _panels.Address;

    public float* Bias => (float*)_bias.Address;

    /// <summary>Group of each input up to an even number of them; of no meaning unless the codes are grouped.</summary>
    public int* Groups => (int*)_groups.Address;

    /// <summary>Inputs of a group where all groups are as long and consecutive; 1 elsewhere.</summary>
    public int GroupSize { get; }

    public long ResidentBytes => _panels.Bytes + _bias.Bytes + _groups.Bytes;

    private static bool IsConsecutive(ImmutableArray<int> groupOf, int size)
    {
        for (var k = 0; k < groupOf.Length; k++)
        {
            if (size == 0 || groupOf[k] != k / size)
            {
                return false;
            }
        }

        return true;
    }

    private static DType CommonDType(IReadOnlyList<QuantizedMatrix> parts)
    {
        var dtypes = parts.Select(part => part switch
        {
            GroupedMatrix grouped => grouped.ScaleDType,
            LookupMatrix lookup => lookup.TableDType,
            _ => DType.F32,
        }).Distinct().ToArray();
        return dtypes is [var only] ? only : DType.F32;
    }
}
