using Cluster.Worker.Compute;
using Cluster.Worker.Models.Checkpoints;
using Cluster.Worker.Models.Layers;

namespace Cluster.Worker.Models.Quantization;

/// <summary>The tensors of one quantized layer, or of the part of it that a rank keeps, by what follows its name. Made by
/// <see cref="WeightLoader"/> for <see cref="QuantizationScheme.Read"/>.</summary>
/// <param name="method">Of quantization, for messages.</param>
internal sealed class LayerTensors(CheckpointTensors tensors, string method, WeightPart part, Slice inFeatures)
{
    public const string Weight = ".weight";

    private static readonly DType[] Floats = [DType.F32, DType.F16, DType.BF16];

    /// <summary>The layer's name, without a suffix.</summary>
    public string Name => part.Name;

    /// <summary>Outputs kept.</summary>
    public Slice Outputs => part.Outputs;

    /// <summary>Inputs kept.</summary>
    public Slice Inputs => inFeatures;

    /// <summary>Bytes that other ranks keep as well when they share the layer's inputs: scales and zeros of groups with inputs of several,
    /// tables of outputs.</summary>
    public long ReplicatedBytes { get; set; }

    public bool Has(string suffix) => tensors.Has(Name + suffix);

    /// <exception cref="CheckpointFormatException">The tensor is missing or of another type or shape.</exception>
    public HostTensor Take(string suffix, DType dtype, params ReadOnlySpan<Slice> shape) => Take(suffix, [dtype], shape);

    /// <summary>The outputs kept of a tensor that holds all experts, <c>[experts, outputs, …]</c>.</summary>
    /// <param name="shape">After the outputs.</param>
    /// <exception cref="CheckpointFormatException">The tensor is missing or of another type or shape.</exception>
    public HostTensor TakeExpert(string suffix, DType dtype, params ReadOnlySpan<int> shape)
    {
        if (part.Expert is not { } expert)
        {
            throw Wrong("", $"is quantized by {method}, and no tensor of all experts; supported: those");
        }

        Slice[] full = [part.Experts, part.StoredOutputs, .. Array.ConvertAll(shape.ToArray(), length => (Slice)length)];
        return tensors.Take(Name + suffix, method, [dtype], full).Item(expert)
            .RowRange(part.FirstStored, part.Outputs.Count, part.Step);
    }

    /// <summary>A tensor of finite F32, F16 or BF16.</summary>
    /// <exception cref="CheckpointFormatException">The tensor is missing or of another type or shape, or has a value that is not
    /// finite.</exception>
    public (DType DType, float[] Values) TakeFloats(string suffix, params ReadOnlySpan<Slice> shape)
    {
        var tensor = Take(suffix, Floats, shape);
        return (tensor.DType, ReadFinite(suffix, tensor, firstElement: 0));
    }

    /// <summary>The same of some rows, in the order asked for.</summary>
    /// <exception cref="CheckpointFormatException">The tensor is missing or of another type or shape, or has a value in these rows that is
    /// not finite.</exception>
    public (DType DType, float[] Values) TakeFloatRows(string suffix, IReadOnlyList<int> rows, Slice height, Slice width)
    {
        var tensor = Take(suffix, Floats, [height, width]);
        return (tensor.DType, [.. rows.SelectMany(row => ReadFinite(suffix, tensor.RowRange(row, 1), (row * width.Full) + width.First))]);
    }

    /// <summary>Shape of a tensor that comes in several.</summary>
    /// <exception cref="CheckpointFormatException">The tensor is missing.</exception>
    public ReadOnlySpan<int> ShapeOf(string suffix) => tensors.ShapeOf(Name + suffix, method);

    public CheckpointFormatException Wrong(string suffix, string reason) => tensors.Wrong(Name + suffix, reason);

    /// <summary>Counts a dimension that is packed in words, which no rank's part may cut.</summary>
    /// <exception cref="CheckpointFormatException">There is no whole number of them.</exception>
    public Slice Packed(string suffix, Slice features, int perWord, string what) => features.IsMultipleOf(perWord)
        ? features.DividedBy(perWord)
        : throw Wrong(suffix, features.IsWhole
            ? $"cannot have {features.Full} {what}: they come in {perWord}s"
            : $"cannot be cut at {what} {features.First} and {features.First + features.Count}: they come in {perWord}s");

    private HostTensor Take(string suffix, ReadOnlySpan<DType> dtypes, ReadOnlySpan<Slice> shape) =>
        part is { Expert: null, Step: 1 }
            ? tensors.Take(Name + suffix, method, dtypes, shape)
            : throw Wrong(
                "", $"holds all experts, and config.json quantizes it by {method}; supported: a matrix for each expert");

    private float[] ReadFinite(string suffix, HostTensor tensor, int firstElement)
    {
        var values = WeightReader.ReadAll(tensor);
        GC.KeepAlive(tensor);
        var bad = Array.FindIndex(values, value => !float.IsFinite(value));
        return bad < 0 ? values : throw Wrong(suffix, $"has {values[bad]} as element {firstElement + bad}; every element must be finite");
    }
}
