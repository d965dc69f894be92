using Cluster.Worker.Compute;
using Cluster.Worker.Models.Layers;

namespace Cluster.Worker.Models.Checkpoints;

/// <summary>Takes tensors out of a <see cref="WeightSource"/> by name and checks their shapes and types; knows which have been taken. Used
/// by <see cref="WeightLoader"/> and, for the tensors of quantized layers, by <see cref="Quantization.LayerTensors"/>.</summary>
internal sealed class CheckpointTensors(WeightSource source)
{
    private readonly HashSet<string> _taken = new(StringComparer.Ordinal);

    /// <summary>Of all tensors taken, as stored.</summary>
    public long BytesTaken { get; private set; }

    /// <summary>Those that nobody has taken.</summary>
    public IEnumerable<string> Untaken => source.Names.Where(name => !_taken.Contains(name));

    public bool Has(string name) => source.Has(name);

    /// <summary>This rank's part of a tensor.</summary>
    /// <param name="shape">Of the whole tensor, with what to keep of it.</param>
    /// <exception cref="CheckpointFormatException">The tensor is missing or has another shape.</exception>
    public HostTensor Take(string name, params ReadOnlySpan<Slice> shape)
    {
        var full = Array.ConvertAll(shape.ToArray(), dimension => dimension.Full);
        var tensor = source.Find(name)
            ?? throw new CheckpointFormatException(
                source.Location, name, $"is missing; config.json calls for it with shape [{string.Join(", ", full)}]");
        if (!tensor.Shape.AsSpan().SequenceEqual(full))
        {
            throw Wrong(name, $"has shape [{string.Join(", ", tensor.Shape)}]; config.json calls for [{string.Join(", ", full)}]");
        }

        LoadWatch.At(source.FileOf(name), name);
        if (_taken.Add(name))
        {
            BytesTaken += tensor.ByteLength;
        }

        if (shape is [{ IsWhole: false } rows, ..])
        {
            tensor = tensor.RowRange(rows.First, rows.Count);
        }

        return shape is [_, { IsWhole: false } columns] ? tensor.ColumnRange(columns.First, columns.Count) : tensor;
    }

    /// <summary>The same of one of some types.</summary>
    /// <param name="caller">Who calls for the types, for the message.</param>
    /// <exception cref="CheckpointFormatException">The tensor is missing or has another type or shape.</exception>
    public HostTensor Take(string name, string caller, ReadOnlySpan<DType> dtypes, ReadOnlySpan<Slice> shape)
    {
        var tensor = Take(name, shape);
        return dtypes.Contains(tensor.DType)
            ? tensor
            : throw Wrong(
                name,
                $"is {SafetensorsDTypes.Spelling(tensor.DType)}; {caller} calls for "
                + $"{string.Join(", ", dtypes.ToArray().Select(SafetensorsDTypes.Spelling))}");
    }

    /// <param name="caller">Who calls for the tensor, for the message.</param>
    /// <exception cref="CheckpointFormatException">The tensor is missing.</exception>
    public ReadOnlySpan<int> ShapeOf(string name, string caller) =>
        (source.Find(name) ?? throw Wrong(name, $"is missing; {caller} calls for it")).Shape.AsSpan();

    public CheckpointFormatException Wrong(string name, string reason) => new(source.FileOf(name), name, reason);
}
