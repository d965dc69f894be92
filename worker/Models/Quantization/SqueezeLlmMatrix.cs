using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Quantized;

namespace Cluster.Worker.Models.Quantization;

/// <summary>A layer in SqueezeLLM's layout; checked by <see cref="SqueezeLlmScheme"/>.</summary>
internal sealed class SqueezeLlmMatrix(LayerTensors layer, HostTensor codes, DType tableDType, float[] table)
    : LookupMatrix(layer.Name, layer.Outputs.Count, layer.Inputs.Count)
{
    public override DType TableDType => tableDType;

    public override float Entry(int output, int code) => table[output * Entries + code];

    public override void ReadCodes(int k, int firstOutput, Span<byte> destination) =>
        PackedWords.ReadAlongInputs(codes, Bits, k, firstOutput, destination);
}
