using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Quantization;

namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>A layer in <c>Q8_0</c> or <c>Q4_0</c>: groups of 32 inputs with a scale each.</summary>
/// <remarks>
/// <code>
/// Q8_0   f16 scale │ 32 signed bytes                                                 weight = scale · byte
/// Q4_0   f16 scale │ 16 bytes: inputs 0-15 in the low halves, 16-31 in the high       weight = scale · (4 bits − 8)
/// </code>
/// </remarks>
internal sealed class GroupBlocks : GroupedMatrix
{
    public const int BlockSize = 32;

    private const int ScaleBytes = 2;

    private readonly HostTensor _blocks;
    private readonly int _firstInput;
    private readonly int _firstGroup;

    /// <param name="blocks"><c>[outputs kept, blocks, bytes of a block]</c></param>
    /// <exception cref="CheckpointFormatException">A scale is not finite.</exception>
    public GroupBlocks(LayerTensors layer, HostTensor blocks, GgufType type)
        : base(layer.Name, layer.Outputs.Count, layer.Inputs.Count, GroupsOf(layer.Inputs))
    {
        _blocks = blocks;
        _firstInput = layer.Inputs.First;
        _firstGroup = _firstInput / BlockSize;
        Bits = type == GgufType.Q8_0 ? 8 : 4;
        GgufScales.RequireFinite(layer, blocks, [0]);
        var share = (long)layer.Inputs.Full / BlockSize * layer.Inputs.Count / layer.Inputs.Full;
        layer.ReplicatedBytes = Math.Max(0, Groups - share) * OutFeatures * 2 * ScaleBytes;
    }

    public override int Bits { get; }

    public override int Groups => GroupOf[^1] + 1;

    public override DType ScaleDType => DType.F16;

    public override bool IsSymmetric => true;

    private int BlockBytes => _blocks.Shape[2];

    public override float Scale(int group, int output) =>
        (float)MemoryMarshal.Read<Half>(_blocks.Row(output)[((_firstGroup + group) * BlockBytes)..]);

    public override int Zero(int group, int output) => Bits == 8 ? 128 : 8;

    public override void ReadCodes(int k, int firstOutput, Span<byte> destination)
    {
        var (block, place) = Math.DivRem(_firstInput + k, BlockSize);
        var half = BlockSize / 2;
        var at = (block * BlockBytes) + ScaleBytes + (Bits == 8 ? place : place % half);
        for (var i = 0; i < destination.Length; i++)
        {
            var code = _blocks.Row(firstOutput + i)[at];
            destination[i] = (byte)(Bits == 8 ? code ^ 0x80 : place < half ? code & 15 : code >> 4);
        }
    }

    private static ImmutableArray<int> GroupsOf(Slice inputs) =>
        [.. Enumerable.Range(inputs.First, inputs.Count).Select(k => (k / BlockSize) - (inputs.First / BlockSize))];
}
