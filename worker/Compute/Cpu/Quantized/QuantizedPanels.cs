using Cluster.Worker.Compute.Cpu.Gemm;
using Cluster.Worker.Compute.Cpu.Memory;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>Stacked quantized matrices in the panels that <see cref="SegmentGemmJob{V, TSimd, TCodes}"/> and others decode, each walked
/// once from front to back. Filled by <see cref="QuantizedPacker"/>.</summary>
/// <remarks>
/// Panels of width 4 (real ones are 32 or 16 wide); a 32-bit word has consecutive k of one output, the first in the low bits:
/// <code>
///         ┌ table                                        ┌ codes: 8 k a word at 4 bits, 4 k at 8 bits
/// panel 0 │FP8:     scale n0│n1│n2│n3│ as F32            │k0-k7: n0│n1│n2│n3│k8-k15: n0│n1│n2│n3│ …
///         │blocks:  place n0│n1│n2│n3│b0: scale g0│g1│ …b1: …  │
///         │grouped: g0 scale+zero n0│n1│n2│n3│g1: …      │
///         │the same, symmetric: g0 scale n0│n1│n2│n3│g1: …
///         │lookup:  entries 0+1 n0│n1│n2│n3│2+3: …       │
///         │MXFP4:   g0 exponent n0│n1│n2│n3│g1: …        │
///         │K-quants: see SuperblockPacker                │
/// panel 1 │n4│n5│n6│n7│ …                  outputs beyond the end are zero
/// </code>
/// Two numbers joined by + share a 32-bit word where they are F16 or BF16, as the k of a pair do in <see cref="PackedWeight"/>. A place is
/// where the scales of an output's block begin; a panel has room for as many blocks as the panel with most. Codes are in
/// the order of <see cref="Segments"/> where there are any; grouped codes of 8 bits are then signed, and those of MXFP4 lie as
/// <see cref="Mxfp4Codes"/> says.
/// </remarks>
internal sealed unsafe class QuantizedPanels
{
    /// <summary>Most inputs whose integer products, each at most 2^15, sum to 32 bits.</summary>
    private const int MostIntegerInputs = (1 << 16) - 1;

    private readonly NativeMemoryBlock _panels;
    private readonly NativeMemoryBlock _bias;
    private readonly NativeMemoryBlock _segments;

    /// <param name="parts">Of one kind, width and type of table, with the same groups.</param>
    /// <param name="firstOutput">Column of the layer's output where these begin.</param>
    /// <param name="allocate">Makes memory of so many bytes.</param>
    public QuantizedPanels(IReadOnlyList<QuantizedMatrix> parts, int firstOutput, int panelWidth, Func<long, NativeMemoryBlock> allocate)
    {
        Kind = parts[0].Kind;
        FirstOutput = firstOutput;
        PanelWidth = panelWidth;
        InFeatures = parts[0].InFeatures;
        OutFeatures = parts.Sum(part => part.OutFeatures);
        Bits = parts[0].Bits;
        TableDType = parts[0].TableDType;
        Inputs = RoundsInputsOf(parts[0]) ? parts[0].Inputs : null;
        Segments = Inputs is null ? Segments.Of(parts[0]) : null;
        IsSymmetric = Segments is not null && parts.All(part => part is GroupedMatrix { IsSymmetric: true });
        var words = ((long)(Segments?.Length ?? InFeatures) * Bits + 31) / 32;
        var groups = parts[0].Groups;
        TableBytes = Kind switch
        {
            QuantizedKind.Grouped when IsSymmetric => Whole((long)panelWidth * groups * TableDType.Size()),
            QuantizedKind.Grouped => 2L * panelWidth * groups * TableDType.Size(),
            QuantizedKind.Lookup => (long)panelWidth * LookupMatrix.Entries * TableDType.Size(),
            QuantizedKind.BlockFp8 => Whole(sizeof(float) * (panelWidth + ((long)MostBlocks(parts) * groups))),
            QuantizedKind.Mxfp4 => Whole((long)panelWidth * groups),
            QuantizedKind.Superblock =>
                (long)panelWidth * ((SuperblockMatrix)parts[0]).Superblocks * SuperblockMatrix.HeadWords(Bits) * sizeof(uint),
            _ => (long)panelWidth * sizeof(float),
        };
        PanelBytes = TableBytes + words * panelWidth * sizeof(uint);
        _panels = allocate(PanelCount * PanelBytes);
        _bias = allocate((long)PanelCount * panelWidth * sizeof(float));
        _bias.Clear();
        _segments = allocate(Segments is { } segments ? sizeof(int) * (2L * segments.Ends.Length + segments.Order.Length) : 0);
        WriteSegments();
    }

    public QuantizedKind Kind { get; }

    /// <summary>How inputs are ordered where codes are scaled after they are summed; null where each becomes a weight first.</summary>
    public Segments? Segments { get; }

    /// <summary>Whether codes are grouped and have segments, and a table needs no zeros.</summary>
    public bool IsSymmetric { get; }

    public int FirstOutput { get; }

    public int PanelWidth { get; }

    public int InFeatures { get; }

    public int OutFeatures { get; }

    public int Bits { get; }

    public DType TableDType { get; }

    /// <summary>How inputs are rounded; null where they are multiplied as floats.</summary>
    public IntegerInputs? Inputs { get; }

    public long TableBytes { get; }

    public long PanelBytes { get; }

    public int Pairs => PackedWeight.PairsOf(InFeatures);

    public int PanelCount => PackedWeight.PanelsOf(OutFeatures, PanelWidth);

    public byte* Panels => _panels.Address;

    public float* Bias => (float*)_bias.Address;

    /// <summary><see cref="Segments"/> in memory; of no meaning without.</summary>
    public PanelSegments PanelSegments { get; private set; }

    public long ResidentBytes => _panels.Bytes + _bias.Bytes + _segments.Bytes;

    /// <summary>Whether inputs are rounded: where the checkpoint asks for it and sums cannot overflow.</summary>
    public static bool RoundsInputsOf(QuantizedMatrix part) => part.Inputs is not null && part.InFeatures <= MostIntegerInputs;

    /// <summary>The outputs of a panel, part by part: the first of the part, how many, and the lane of the first.</summary>
    public IEnumerable<(QuantizedMatrix Part, int Output, int Count, int Lane)> OutputsOf(
        IReadOnlyList<QuantizedMatrix> parts, int panel)
    {
        var first = panel * PanelWidth;
        var partStart = 0;
        foreach (var part in parts)
        {
            var from = Math.Max(first, partStart);
            var to = Math.Min(first + PanelWidth, partStart + part.OutFeatures);
            if (from < to)
            {
                yield return (part, from - partStart, to - from, from - first);
            }

            partStart += part.OutFeatures;
        }
    }

    /// <summary>Codes begin at whole vectors where they can.</summary>
    private static long Whole(long bytes) => (bytes + 63) / 64 * 64;

    /// <summary>Blocks of outputs in the panel that has most of them.</summary>
    private int MostBlocks(IReadOnlyList<QuantizedMatrix> parts) => Enumerable.Range(0, PanelCount).Max(panel =>
        OutputsOf(parts, panel).Sum(run =>
            ((BlockFp8Matrix)run.Part).BlockOf(run.Output + run.Count - 1) - ((BlockFp8Matrix)run.Part).BlockOf(run.Output) + 1));

    private void WriteSegments()
    {
        if (Segments is { } segments)
        {
            var target = (int*)_segments.Address;
            var count = segments.Ends.Length;
            segments.Ends.CopyTo(new Span<int>(target, count));
            segments.Groups.CopyTo(new Span<int>(target + count, count));
            segments.Order.CopyTo(new Span<int>(target + 2 * count, segments.Order.Length));
            PanelSegments = new PanelSegments(
                count, segments.Length, target, target + count, segments.Order.IsEmpty ? null : target + 2 * count);
        }
    }
}
