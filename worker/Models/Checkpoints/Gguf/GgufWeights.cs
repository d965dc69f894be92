using System.Collections.Immutable;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Config;

namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>The weights of a GGUF file under the names of transformers. Read by the loader as those of a folder are.</summary>
/// <remarks>What comes in blocks is there as its bytes, for <see cref="GgufScheme"/>:
/// <code>
/// NAME.weight          as stored: F32, F16, BF16
/// NAME.weight_blocks   U8 [out, blocks, bytes of a block], which tell the type
/// </code>
/// Tables of embeddings are looked up row by row and kept in F16, whatever the file has them in.</remarks>
internal sealed class GgufWeights : WeightSource
{
    /// <summary>Factors of rotary frequencies, which <see cref="GgufModel.Config"/> reads.</summary>
    public const string RopeFactors = "rope_freqs.weight";

    private const string Weight = ".weight";

    private static readonly string[] ReadWithConfig = [RopeFactors, "rope_factors_long.weight", "rope_factors_short.weight"];

    private readonly GgufModel _model;
    private readonly int _headDim;
    private readonly HashSet<string> _tables;
    private readonly Dictionary<string, Place> _places = new(StringComparer.Ordinal);
    private readonly Dictionary<string, DecodedTable> _decoded = new(StringComparer.Ordinal);

    public GgufWeights(GgufModel model, ModelConfig config)
    {
        _model = model;
        _headDim = config.HeadDim;
        _tables = [config.Architecture.WeightNames.Embedding, config.Architecture.WeightNames.PositionEmbedding];
        var names = new GgufNames(config);
        foreach (var tensor in model.Tensors.Where(tensor => !ReadWithConfig.Contains(tensor.Name)))
        {
            var isOfExperts = GgufNames.IsOfExperts(tensor.Name);
            var found = names.Of(tensor.Name, isOfExperts ? tensor.Shape[0] : 1);
            for (var i = 0; i < found.Length; i++)
            {
                _places[found[i]] = new Place(tensor, isOfExperts ? i : null);
            }

            if (found.IsEmpty)
            {
                // Nobody asks for it, so it is refused with the others that no part of the model has taken.
                _places[tensor.Name] = new Place(tensor, null);
            }
        }

        Names = [.. _places.Select(place => IsStoredPlain(place.Value) || _tables.Contains(place.Key) ? place.Key : BlocksOf(place.Key))];
    }

    public override string Location => _model.Path;

    public override IReadOnlyCollection<string> Names { get; }

    public override long TotalBytes => _model.Tensors.Sum(tensor => tensor.ByteLength);

    public override void Forget() => _model.Forget();

    public override string FileOf(string name) =>
        PlaceOf(name) is { } place ? _model.FileOf(place.Tensor.Name).Path : Location;

    public override HostTensor? Find(string name)
    {
        if (PlaceOf(name) is not { } place)
        {
            return null;
        }

        var wantsBlocks = name.EndsWith(GgufScheme.BlocksSuffix, StringComparison.Ordinal);
        if (IsStoredPlain(place))
        {
            return wantsBlocks ? null : Stored(name, place);
        }

        // A bias in blocks has no other name, and is refused for its shape.
        return wantsBlocks || !name.EndsWith(Weight, StringComparison.Ordinal) ? Blocks(name, place)
            : _tables.Contains(name) ? Decoded(name, place)
            : null;
    }

    private static bool IsStoredPlain(Place place) => place.Tensor.Type.Plain() is not null;

    private static string BlocksOf(string name) => name.EndsWith(Weight, StringComparison.Ordinal)
        ? name[..^Weight.Length] + GgufScheme.BlocksSuffix
        : name;

    private Place? PlaceOf(string name)
    {
        var stored = name.EndsWith(GgufScheme.BlocksSuffix, StringComparison.Ordinal)
            ? name[..^GgufScheme.BlocksSuffix.Length] + Weight
            : name;
        return _places.TryGetValue(stored, out var place) ? place : null;
    }

    private HostTensor Stored(string name, Place place) =>
        Ordered(name, place, new HostTensor(name, place.Tensor.Type.Plain()!.Value, place.Shape, AddressOf(place), OwnerOf(place)));

    private HostTensor Blocks(string name, Place place)
    {
        var shape = place.Shape;
        if (shape is not [var rows, var columns])
        {
            throw new CheckpointFormatException(
                FileOf(name), place.Tensor.Name, $"has shape [{string.Join(", ", shape)}] in {place.Tensor.Type}; expected a matrix");
        }

        var type = place.Tensor.Type;
        return Ordered(
            name, place,
            new HostTensor(
                name, DType.U8, [rows, columns / type.BlockSize(), type.BlockBytes()], AddressOf(place), OwnerOf(place)));
    }

    private HostTensor Decoded(string name, Place place)
    {
        // Ranks that are threads share the source.
        lock (_decoded)
        {
            if (!_decoded.TryGetValue(name, out var table))
            {
                table = new DecodedTable(FileOf(name), name, Blocks(name, place));
                _decoded.Add(name, table);
            }

            return table.Tensor;
        }
    }

    /// <summary>With rows of query and key heads in the order of transformers.</summary>
    private HostTensor Ordered(string name, Place place, HostTensor tensor) =>
        !_model.Architecture.InTurns || !GgufNames.IsRotated(place.Tensor.Name) ? tensor
            : tensor.Rows % _headDim == 0 && _headDim % 2 == 0 ? tensor.InHalves(_headDim)
            : throw new CheckpointFormatException(
                FileOf(name), place.Tensor.Name, $"has {tensor.Rows} rows; expected whole heads of {_headDim}");

    private nint AddressOf(Place place)
    {
        var itemBytes = place.Expert is null ? 0 : place.Tensor.ByteLength / place.Tensor.Shape[0];
        return OwnerOf(place).AddressAt(place.Tensor.Offset + ((place.Expert ?? 0) * itemBytes));
    }

    private MappedFile OwnerOf(Place place) => _model.FileOf(place.Tensor.Name).Mapping;

    /// <summary>A tensor, or one expert's part of it.</summary>
    private sealed record Place(GgufTensor Tensor, int? Expert)
    {
        public ImmutableArray<int> Shape => Expert is null ? Tensor.Shape : Tensor.Shape.RemoveAt(0);
    }
}
