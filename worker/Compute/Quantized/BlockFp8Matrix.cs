using System.Collections.Immutable;

namespace Cluster.Worker.Compute.Quantized;

/// <summary>weight[n, k] = E4M3(code[n, k]) · scale[b, g] with b = block[n] and g = group[k]: one scale for each block of outputs and
/// inputs, kept once.</summary>
internal sealed class BlockFp8Matrix : QuantizedMatrix
{
    private readonly HostTensor _codes;
    private readonly ImmutableArray<int> _blockOf;
    private readonly ImmutableArray<float> _scales;

    /// <param name="codes">F8_E4M3 <c>[out, in]</c> without NaN.</param>
    /// <param name="blockOf"><c>[out]</c> the block of each output, ascending from 0 by at most one.</param>
    /// <param name="groupOf"><c>[in]</c> the group of each input.</param>
    /// <param name="scales"><c>[blocks, groups]</c>, finite.</param>
    public BlockFp8Matrix(
        string name, HostTensor codes, ImmutableArray<int> blockOf, ImmutableArray<int> groupOf, ImmutableArray<float> scales)
        : base(name, codes.Rows, codes.RowLength)
    {
        (_codes, _blockOf, _scales) = (codes, blockOf, scales);
        GroupOf = groupOf;
        Blocks = blockOf[^1] + 1;
        Groups = scales.Length / Blocks;
    }

    public override QuantizedKind Kind => QuantizedKind.BlockFp8;

    public override int Bits => 8;

    public override DType TableDType => DType.F32;

    public override int Groups { get; }

    /// <summary>Blocks along the outputs.</summary>
    public int Blocks { get; }

    public int BlockOf(int output) => _blockOf[output];

    public float Scale(int block, int group) => _scales[(block * Groups) + group];

    public override ReadOnlySpan<byte> BytesOf(int output) => _codes.Row(output);

    public override float WeightOf(int output, int k, byte code) => Fp8.FromE4M3(code) * Scale(BlockOf(output), GroupOf[k]);
}
