using Cluster.Worker.Compute;

namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>A table of embeddings that a file has in blocks, as the F16 that backends look rows up in. In native memory, freed with the
/// last reference.</summary>
internal sealed unsafe class DecodedTable
{
    /// <param name="blocks">U8 <c>[rows, blocks, bytes of a block]</c></param>
    /// <exception cref="CheckpointFormatException">A value is too large for F16, or not finite.</exception>
    public DecodedTable(string file, string name, HostTensor blocks)
    {
        var type = GgufTypes.OfBlockBytes(blocks.Shape[2]);
        var columns = blocks.Shape[1] * type.BlockSize();
        var memory = new NativeBlock((long)blocks.Rows * columns * sizeof(Half));
        var badRow = -1;
        System.Threading.Tasks.Parallel.For(0, blocks.Rows, row =>
        {
            var values = new float[columns];
            BlockDecoder.Decode(type, blocks.Row(row), values);
            var target = new Span<Half>((Half*)memory.Address + ((long)row * columns), columns);
            for (var i = 0; i < columns; i++)
            {
                target[i] = (Half)values[i];
                if (!Half.IsFinite(target[i]))
                {
                    badRow = row;
                }
            }
        });
        GC.KeepAlive(blocks);
        Tensor = badRow < 0
            ? new HostTensor(name, DType.F16, [blocks.Rows, columns], memory.Address, memory)
            : throw new CheckpointFormatException(file, name, $"has a value in row {badRow} that is not finite or too large for F16");
    }

    public HostTensor Tensor { get; }
}
