using System.Runtime.InteropServices;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Quantization;

namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>Checks the F16 that scale the codes of blocks.</summary>
internal static class GgufScales
{
    /// <param name="places">Bytes of a block where they are.</param>
    /// <exception cref="CheckpointFormatException">One is not finite.</exception>
    public static void RequireFinite(LayerTensors layer, HostTensor blocks, ReadOnlySpan<int> places)
    {
        var blockBytes = blocks.Shape[2];
        for (var row = 0; row < blocks.Rows; row++)
        {
            var bytes = blocks.Row(row);
            for (var block = 0; block < blocks.Shape[1]; block++)
            {
                foreach (var place in places)
                {
                    var scale = MemoryMarshal.Read<Half>(bytes[((block * blockBytes) + place)..]);
                    if (!Half.IsFinite(scale))
                    {
                        throw layer.Wrong(
                            GgufScheme.BlocksSuffix,
                            $"has {scale} as a scale of block {block} of row {layer.Outputs.First + row}; every scale must be finite");
                    }
                }
            }
        }

        GC.KeepAlive(blocks);
    }
}
