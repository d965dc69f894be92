namespace Cluster.Worker.Compute.Quantized;

/// <summary>A <c>[out, in]</c> matrix as codes and what decodes them, in checkpoint memory: nothing is decoded here. Made by
/// <c>Models.Quantization</c>, which has checked every value; read by
/// <see cref="Backend.LoadLinear(string, IReadOnlyList{QuantizedMatrix}, IReadOnlyList{HostTensor}?)"/>, which keeps the codes packed in a
/// layout of its own.</summary>
/// <remarks>How a code becomes a weight is the subclass's: <see cref="Fp8Matrix"/>, <see cref="GroupedMatrix"/> or
/// <see cref="LookupMatrix"/>. The arithmetic is in fp32, rounded as written there, so every backend has the same weights.</remarks>
internal abstract class QuantizedMatrix(string name, int outFeatures, int inFeatures)
{
    /// <summary>Name of the layer in the checkpoint, for messages.</summary>
    public string Name { get; } = name;

    public int OutFeatures { get; } = outFeatures;

    public int InFeatures { get; } = inFeatures;

    /// <summary>Bits of a code: 4 or 8.</summary>
    public abstract int Bits { get; }

    /// <summary>Codes of input <paramref name="k"/> for a run of outputs. Safe to call from several threads.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such input or output.</exception>
    public abstract void ReadCodes(int k, int firstOutput, Span<byte> destination);
}
