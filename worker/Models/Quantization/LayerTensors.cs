using Cluster.Worker.Compute;

namespace Cluster.Worker.Models.Quantization;

/// <summary>The tensors of one quantized layer, by what follows its name. Made by <see cref="WeightLoader"/> for <see cref="QuantizationScheme.Read"/>.</summary>
internal sealed class LayerTensors(WeightLoader loader, string layer, int outFeatures, int inFeatures)
{
    public const string Weight = ".weight";

    private static readonly DType[] Floats = [DType.F32, DType.F16, DType.BF16];

    /// <summary>The layer's name, without a suffix.</summary>
    public string Name => layer;

    public int OutFeatures => outFeatures;

    public int InFeatures => inFeatures;

    public bool Has(string suffix) => loader.Has(layer + suffix);

    /// <exception cref="CheckpointFormatException">The tensor is missing or of another type or shape.</exception>
    public HostTensor Take(string suffix, DType dtype, params ReadOnlySpan<int> shape) => loader.Take(layer + suffix, [dtype], shape);

    /// <summary>A tensor of finite F32, F16 or BF16.</summary>
    /// <exception cref="CheckpointFormatException">The tensor is missing or of another type or shape, or has a value that is not finite.</exception>
    public (DType DType, float[] Values) TakeFloats(string suffix, params ReadOnlySpan<int> shape)
    {
        var tensor = loader.Take(layer + suffix, Floats, shape);
        var values = WeightReader.ReadAll(tensor);
        GC.KeepAlive(tensor);
        var bad = Array.FindIndex(values, value => !float.IsFinite(value));
        return bad < 0 ? (tensor.DType, values) : throw Wrong(suffix, $"has {values[bad]} as element {bad}; every element must be finite");
    }

    /// <summary>Shape of a tensor that comes in several.</summary>
    /// <exception cref="CheckpointFormatException">The tensor is missing.</exception>
    public ReadOnlySpan<int> ShapeOf(string suffix) => loader.ShapeOf(layer + suffix);

    public CheckpointFormatException Wrong(string suffix, string reason) => loader.Wrong(layer + suffix, reason);

    /// <summary>Requires a dimension that is packed or cut in pieces to have a whole number of them.</summary>
    /// <exception cref="CheckpointFormatException">It has not.</exception>
    public void RequireMultiple(string suffix, int features, int of, string what)
    {
        if (features % of != 0)
        {
            throw Wrong(suffix, $"cannot have {features} {what}: they come in {of}s");
        }
    }
}
