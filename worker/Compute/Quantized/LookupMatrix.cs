namespace Cluster.Worker.Compute.Quantized;

/// <summary>weight[n, k] = table[n, code[n, k]] with 16 entries for each output: SqueezeLLM.</summary>
internal abstract class LookupMatrix(string name, int outFeatures, int inFeatures) : QuantizedMatrix(name, outFeatures, inFeatures)
{
    public const int Entries = 16;

    public sealed override QuantizedKind Kind => QuantizedKind.Lookup;

    public sealed override int Bits => 4;

    /// <summary>Finite.</summary>
    public abstract float Entry(int output, int code);

    public sealed override float WeightOf(int output, int k, byte code) => Entry(output, code);
}
