using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Quantization;

namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>A layer in <c>Q4_K</c>, <c>Q5_K</c> or <c>Q6_K</c>; see <see cref="SuperblockLayout"/>.</summary>
internal sealed class Superblocks : SuperblockMatrix
{
    private readonly HostTensor _blocks;
    private readonly int _firstInput;
    private readonly int _firstBlock;

    /// <param name="blocks"><c>[outputs kept, blocks, bytes of a block]</c></param>
    /// <exception cref="CheckpointFormatException">A scale is not finite.</exception>
    public Superblocks(LayerTensors layer, HostTensor blocks, GgufType type)
        : base(layer.Name, layer.Outputs.Count, layer.Inputs.Count, SuperblockLayout.BitsOf(type), layer.Inputs.First % Length)
    {
        _blocks = blocks;
        _firstInput = layer.Inputs.First;
        _firstBlock = _firstInput / Length;
        GgufScales.RequireFinite(layer, blocks, SuperblockLayout.ScalePlaces(Bits));
        var share = (long)layer.Inputs.Full / Length * layer.Inputs.Count / layer.Inputs.Full;
        layer.ReplicatedBytes = Math.Max(0, base.Superblocks - share) * OutFeatures * HeadWords(Bits) * sizeof(uint);
    }

    public override float Scale(int group, int output) => SuperblockLayout.Scale(Block(group, output), Bits, group % GroupsOf(Bits));

    public override float Minimum(int group, int output) => SuperblockLayout.Minimum(Block(group, output), Bits, group % GroupsOf(Bits));

    public override void ReadHead(int superblock, int output, Span<uint> words) =>
        SuperblockLayout.ReadHead(Bytes(superblock, output), Bits, words);

    public override void ReadCodes(int k, int firstOutput, Span<byte> destination)
    {
        var (block, place) = Math.DivRem(_firstInput + k, Length);
        for (var i = 0; i < destination.Length; i++)
        {
            destination[i] = SuperblockLayout.Code(Bytes(block - _firstBlock, firstOutput + i), Bits, place);
        }
    }

    public override void ReadRow(int output, Span<byte> codes)
    {
        for (var k = 0; k < codes.Length;)
        {
            var (block, place) = Math.DivRem(_firstInput + k, Length);
            var bytes = Bytes(block - _firstBlock, output);
            for (; place < Length && k < codes.Length; place++, k++)
            {
                codes[k] = SuperblockLayout.Code(bytes, Bits, place);
            }
        }
    }

    private ReadOnlySpan<byte> Block(int group, int output) => Bytes(group / GroupsOf(Bits), output);

    private ReadOnlySpan<byte> Bytes(int superblock, int output)
    {
        var blockBytes = _blocks.Shape[2];
        return _blocks.Row(output).Slice((_firstBlock + superblock) * blockBytes, blockBytes);
    }
}
