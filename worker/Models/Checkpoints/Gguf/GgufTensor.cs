using System.Collections.Immutable;

namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>A tensor of a GGUF file. Every number has been checked against the file's length.</summary>
/// <param name="Name">As the file has it: <c>blk.0.attn_q.weight</c>.</param>
/// <param name="Shape">Row-major, the longest stride first: the file has it the other way round.</param>
/// <param name="Offset">Byte of the file.</param>
/// <param name="ByteLength">Of all elements.</param>
internal sealed record GgufTensor(string Name, GgufType Type, ImmutableArray<int> Shape, long Offset, long ByteLength)
{
    /// <summary>Elements of a row.</summary>
    public int Columns => Shape[^1];

    /// <summary>Bytes of a row.</summary>
    public int RowBytes => Columns / Type.BlockSize() * Type.BlockBytes();
}
