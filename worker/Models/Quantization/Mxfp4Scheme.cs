using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Quantization;

/// <summary><c>quant_method: mxfp4</c>, as OpenAI published gpt-oss: matrices of all experts in the OCP microscaling format MXFP4, the rest
/// as it was.</summary>
/// <remarks>
/// <code>
/// NAME_blocks  U8 [experts, out, in / 32, 16]  two E2M1 codes a byte, the earlier input in the low half
/// NAME_scales  U8 [experts, out, in / 32]      E8M0: 2^(byte − 127)
/// </code>
/// </remarks>
internal sealed class Mxfp4Scheme(LayerPatterns notConverted) : QuantizationScheme
{
    private const string ScalesSuffix = "_scales";
    private const byte NaN = 255;

    public override string Method => QuantizationMethods.Mxfp4;

    public override string Description => "mxfp4, experts of 4 bits in groups of 32";

    public override string MarkerSuffix => "_blocks";

    /// <exception cref="ModelConfigException">A field is wrong.</exception>
    public static Mxfp4Scheme Of(ConfigObject config) => new(LayerPatterns.Read(config, "modules_to_not_convert"));

    public override bool Quantizes(string layer) => !notConverted.Contains(layer);

    public override QuantizedMatrix Read(LayerTensors layer)
    {
        // Never cut here: a part may begin within a group.
        var groups = layer.Packed(MarkerSuffix, layer.Inputs.Full, Mxfp4Matrix.GroupSize, "inputs").Full;
        var blocks = layer.TakeExpert(MarkerSuffix, DType.U8, groups, Mxfp4Matrix.GroupSize / 2);
        var scales = layer.TakeExpert(ScalesSuffix, DType.U8, groups);
        for (var output = 0; output < scales.Rows; output++)
        {
            if (scales.Row(output).Contains(NaN))
            {
                throw layer.Wrong(ScalesSuffix, $"has NaN ({NaN}) at output {layer.Outputs.First + output}; every scale must be a number");
            }
        }

        var kept = layer.Inputs.Covering(Mxfp4Matrix.GroupSize).Count;
        var share = (long)groups * layer.Inputs.Count / layer.Inputs.Full;
        layer.ReplicatedBytes = Math.Max(0, kept - share) * layer.Outputs.Count;
        return new Mxfp4Expert(layer, blocks, scales);
    }
}
