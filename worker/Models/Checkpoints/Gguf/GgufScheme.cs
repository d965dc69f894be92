using System.Collections.Immutable;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Quantization;

namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>Layers of a GGUF file whose weights come in blocks, which stay packed: <see cref="GroupBlocks"/> and
/// <see cref="Superblocks"/>. What a file has in F32, F16 or BF16 is loaded as it is.</summary>
/// <param name="types">What types the file has, and how many bytes of each.</param>
internal sealed class GgufScheme(ImmutableArray<string> types) : QuantizationScheme
{
    /// <summary>Ends the name of a layer's tensor of blocks: U8 <c>[out, blocks, bytes of a block]</c>.</summary>
    public const string BlocksSuffix = ".weight_blocks";

    public override string Method => QuantizationMethods.Gguf;

    public override string Description => $"gguf: {string.Join(", ", types)} in the file";

    public override string MarkerSuffix => BlocksSuffix;

    /// <summary>Codes of eight inputs share a word.</summary>
    public override int CutUnit => 8;

    public static GgufScheme Of(ConfigObject config) => new(config.Strings("types"));

    public override bool Quantizes(string layer) => true;

    public override QuantizedMatrix Read(LayerTensors layer)
    {
        if (!layer.Has(BlocksSuffix))
        {
            throw layer.Wrong(LayerTensors.Weight, "is missing, and the model calls for it");
        }

        var shape = layer.ShapeOf(BlocksSuffix);
        var type = GgufTypes.OfBlockBytes(shape[^1]);
        if (layer.Inputs.Full != shape[1] * type.BlockSize())
        {
            throw layer.Wrong(BlocksSuffix, $"has {shape[1] * type.BlockSize()} inputs; the model calls for {layer.Inputs.Full}");
        }

        var blocks = layer.Take(BlocksSuffix, DType.U8, layer.Outputs, shape[1], shape[^1]);
        return type.BlockSize() == GroupBlocks.BlockSize
            ? new GroupBlocks(layer, blocks, type)
            : new Superblocks(layer, blocks, type);
    }
}
