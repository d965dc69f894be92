using System.Collections.Immutable;
using System.Text.Json;
using Cluster.Worker.Compute;

namespace Cluster.Worker.Models.Checkpoints;

/// <summary>Where one tensor lies in a safetensors file.</summary>
/// <param name="Offset">First byte, counted from the end of the header.</param>
internal sealed record TensorEntry(string Name, DType DType, ImmutableArray<int> Shape, long Offset, long ByteLength);

/// <summary>Reads and checks the JSON header of a safetensors file. Pure: bytes in, entries out. Called by
/// <see cref="SafetensorsFile"/>.</summary>
/// <remarks>Format: github.com/huggingface/safetensors, "Format". After a header that passes, every entry lies inside the file, no two
/// overlap, the data is covered without holes, and every product of dimensions fits the types that <see cref="HostTensor"/> uses.</remarks>
internal ref struct SafetensorsHeader
{
    /// <summary>The reference implementation's limit.</summary>
    public const long MaxBytes = 100_000_000;

    private const int MaxRank = 8;
    private const int MaxJsonDepth = 8;

    private readonly string _file;
    private Utf8JsonReader _reader;

    private SafetensorsHeader(string file, ReadOnlySpan<byte> json)
    {
        _file = file;
        _reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxJsonDepth });
    }

    /// <summary>The entries in file order.</summary>
    /// <param name="file">Path, for messages.</param>
    /// <param name="json">The header: a JSON object, padded with spaces.</param>
    /// <param name="dataBytes">Bytes of the file after the header.</param>
    /// <exception cref="CheckpointFormatException">The header breaks a rule.</exception>
    public static IReadOnlyList<TensorEntry> Parse(string file, ReadOnlySpan<byte> json, long dataBytes)
    {
        if (json.IsEmpty || json[0] != (byte)'{')
        {
            throw new CheckpointFormatException(file, "is not a safetensors file: the header does not begin with '{'");
        }

        try
        {
            var header = new SafetensorsHeader(file, json);
            var entries = header.ReadEntries(dataBytes);
            entries.Sort((a, b) => (a.Offset, a.ByteLength, a.Name).CompareTo((b.Offset, b.ByteLength, b.Name)));
            CheckCover(file, entries, dataBytes);
            return entries;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string that is not valid UTF-8 or has a lone surrogate.
            throw new CheckpointFormatException(file, $"header is not valid JSON: {e.Message}", e);
        }
    }

    private List<TensorEntry> ReadEntries(long dataBytes)
    {
        var entries = new List<TensorEntry>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        _reader.Read();
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndObject)
        {
            var name = _reader.GetString()!;
            if (!names.Add(name))
            {
                throw new CheckpointFormatException(_file, name, "appears twice in the header");
            }

            _reader.Read();
            if (name == "__metadata__")
            {
                SkipMetadata();
            }
            else
            {
                entries.Add(ReadEntry(name, dataBytes));
            }
        }

        // Anything but padding after the object throws here.
        _reader.Read();
        return entries;
    }

    private void SkipMetadata()
    {
        if (_reader.TokenType != JsonTokenType.StartObject)
        {
            throw new CheckpointFormatException(_file, "__metadata__ must be an object of strings");
        }

        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndObject)
        {
            var key = _reader.GetString();
            _reader.Read();
            if (_reader.TokenType != JsonTokenType.String)
            {
                throw new CheckpointFormatException(_file, $"__metadata__ entry '{key}' is not a string");
            }
        }
    }

    private TensorEntry ReadEntry(string name, long dataBytes)
    {
        if (_reader.TokenType != JsonTokenType.StartObject)
        {
            throw new CheckpointFormatException(_file, name, "is not described by an object");
        }

        DType? dtype = null;
        ImmutableArray<long>? shape = null;
        ImmutableArray<long>? offsets = null;
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndObject)
        {
            var field = _reader.GetString();
            _reader.Read();
            switch (field)
            {
                case "dtype":
                    RefuseSecond(name, field, dtype is not null);
                    dtype = ReadDType(name);
                    break;
                case "shape":
                    RefuseSecond(name, field, shape is not null);
                    shape = ReadIntegers(name, field, MaxRank);
                    break;
                case "data_offsets":
                    RefuseSecond(name, field, offsets is not null);
                    offsets = ReadIntegers(name, field, 2);
                    break;
                default:
                    _reader.Skip();
                    break;
            }
        }

        return Check(
            name,
            dtype ?? throw Missing(name, "dtype"),
            shape ?? throw Missing(name, "shape"),
            offsets ?? throw Missing(name, "data_offsets"),
            dataBytes);
    }

    private readonly CheckpointFormatException Missing(string name, string field) => new(_file, name, $"has no {field}");

    private readonly void RefuseSecond(string name, string field, bool seen)
    {
        if (seen)
        {
            throw new CheckpointFormatException(_file, name, $"has {field} twice");
        }
    }

    private readonly DType ReadDType(string name)
    {
        if (_reader.TokenType != JsonTokenType.String)
        {
            throw new CheckpointFormatException(_file, name, "has a dtype that is not a string");
        }

        var spelling = _reader.GetString()!;
        return SafetensorsDTypes.Find(spelling)
            ?? throw new CheckpointFormatException(_file, name, $"is {spelling}; supported: {SafetensorsDTypes.Supported}");
    }

    private ImmutableArray<long> ReadIntegers(string name, string field, int maxCount)
    {
        if (_reader.TokenType != JsonTokenType.StartArray)
        {
            throw new CheckpointFormatException(_file, name, $"has a {field} that is not an array");
        }

        var values = ImmutableArray.CreateBuilder<long>();
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
        {
            if (_reader.TokenType != JsonTokenType.Number || !_reader.TryGetInt64(out var value) || value < 0)
            {
                throw new CheckpointFormatException(_file, name, $"has a {field} entry that is not a whole number of 0 or more");
            }

            if (values.Count == maxCount)
            {
                throw new CheckpointFormatException(_file, name, $"has more than {maxCount} entries in {field}");
            }

            values.Add(value);
        }

        return values.ToImmutable();
    }

    private readonly TensorEntry Check(string name, DType dtype, ImmutableArray<long> shape, ImmutableArray<long> offsets, long dataBytes)
    {
        if (offsets.Length != 2)
        {
            throw new CheckpointFormatException(_file, name, $"has {offsets.Length} data_offsets; expected begin and end");
        }

        var (begin, end) = (offsets[0], offsets[1]);
        if (end < begin || end > dataBytes)
        {
            throw new CheckpointFormatException(
                _file, name, $"has data_offsets [{begin}, {end}] outside the {dataBytes} bytes of data (truncated file?)");
        }

        var dimensions = ImmutableArray.CreateBuilder<int>(shape.Length);
        long rowBytes = dtype.Size();
        for (var i = 0; i < shape.Length; i++)
        {
            // HostTensor addresses a row by a span: its bytes must fit an int, and so must every dimension.
            var bytes = (Int128)rowBytes * (i == 0 ? 1 : shape[i]);
            if (shape[i] > int.MaxValue || bytes > int.MaxValue)
            {
                throw new CheckpointFormatException(_file, name, $"has shape [{string.Join(", ", shape)}], whose product overflows");
            }

            rowBytes = (long)bytes;
            dimensions.Add((int)shape[i]);
        }

        var expected = rowBytes * (shape.IsEmpty ? 1 : shape[0]);
        if (end - begin != expected)
        {
            throw new CheckpointFormatException(
                _file, name,
                $"takes {end - begin} bytes, but shape [{string.Join(", ", shape)}] of {SafetensorsDTypes.Spelling(dtype)} "
                + $"needs {expected}");
        }

        return new TensorEntry(name, dtype, dimensions.MoveToImmutable(), begin, expected);
    }

    /// <param name="entries">Sorted by offset.</param>
    private static void CheckCover(string file, List<TensorEntry> entries, long dataBytes)
    {
        var covered = 0L;
        var previous = "";
        foreach (var entry in entries)
        {
            if (entry.Offset < covered)
            {
                throw new CheckpointFormatException(
                    file, entry.Name, $"overlaps tensor '{previous}': it begins at {entry.Offset}, before {covered}");
            }

            if (entry.Offset > covered)
            {
                throw new CheckpointFormatException(
                    file, entry.Name, $"leaves a hole: it begins at {entry.Offset}, data before it ends at {covered}");
            }

            covered += entry.ByteLength;
            previous = entry.Name;
        }

        if (covered != dataBytes)
        {
            throw new CheckpointFormatException(file, $"has {dataBytes - covered} bytes after the last tensor that no tensor describes");
        }
    }
}
