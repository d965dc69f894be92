using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;
using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Quantization;

/// <summary><c>quant_method: squeezellm</c> (Kim et al. 2023), dense, with 4 bits.</summary>
/// <remarks>
/// <code>
/// qweight       I32 [in / 8, out]   a word: eight consecutive inputs of one output, the first in the low bits
/// lookup_table  [out, 16]
/// </code>
/// </remarks>
internal sealed class SqueezeLlmScheme : QuantizationScheme
{
    private const int InputsPerWord = 8;

    public override string Method => QuantizationMethods.SqueezeLlm;

    public override string Description => "squeezellm, 4 bits";

    public override string MarkerSuffix => ".qweight";

    public override int CutUnit => InputsPerWord;

    /// <exception cref="ModelConfigException">A field is missing, wrong or not supported.</exception>
    public static SqueezeLlmScheme Of(ConfigObject config) =>
        config.Integer("wbits", 1, 32) is var bits and not 4
            ? throw config.Invalid("wbits", $"is {bits}; supported: 4")
            : new SqueezeLlmScheme();

    public override bool Quantizes(string layer) => true;

    public override QuantizedMatrix Read(LayerTensors layer)
    {
        var codes = layer.Take(MarkerSuffix, DType.I32, layer.Packed(MarkerSuffix, layer.Inputs, InputsPerWord, "inputs"), layer.Outputs);
        var (dtype, table) = layer.TakeFloats(".lookup_table", layer.Outputs, LookupMatrix.Entries);
        layer.ReplicatedBytes = layer.Inputs.IsWhole ? 0 : table.Length * dtype.Size();
        return new SqueezeLlmMatrix(layer, codes, dtype, table);
    }
}
