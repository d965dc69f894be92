using System.Buffers.Binary;

namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>Keys and values of a GGUF file, read one by one with the checks each needs. Made by <see cref="GgufFile"/>.</summary>
/// <param name="file">Path, for messages.</param>
/// <param name="mapping">Where the values are.</param>
internal sealed class GgufMetadata(string file, MappedFile mapping, IReadOnlyDictionary<string, GgufValue> values)
{
    public IEnumerable<string> Keys => values.Keys;

    public bool Has(string key) => values.ContainsKey(key);

    /// <summary>Null where the key is missing.</summary>
    /// <exception cref="CheckpointFormatException">It is no string.</exception>
    public string? Text(string key)
    {
        if (!values.TryGetValue(key, out var value))
        {
            return null;
        }

        return value is { Type: GgufValueType.Text, IsArray: false }
            ? ReaderAt(value).Text(key, int.MaxValue)
            : throw Wrong(key, "a string");
    }

    /// <summary>A whole number; null where the key is missing.</summary>
    /// <exception cref="CheckpointFormatException">It is none, or does not fit.</exception>
    public long? Integer(string key) => values.TryGetValue(key, out var value) && !value.IsArray ? IntegersOf(key, value)[0]
        : values.ContainsKey(key) ? throw Wrong(key, "a whole number")
        : null;

    /// <summary>Whole numbers, of which a single one counts as one; null where the key is missing.</summary>
    public long[]? Integers(string key) => values.TryGetValue(key, out var value) ? IntegersOf(key, value) : null;

    /// <summary>A finite number; null where the key is missing.</summary>
    public double? Number(string key) => values.TryGetValue(key, out var value) && !value.IsArray ? NumbersOf(key, value)[0]
        : values.ContainsKey(key) ? throw Wrong(key, "a number")
        : null;

    /// <summary>Finite numbers; null where the key is missing.</summary>
    public double[]? Numbers(string key) => values.TryGetValue(key, out var value) ? NumbersOf(key, value) : null;

    /// <summary>Null where the key is missing.</summary>
    public bool? Boolean(string key)
    {
        if (!values.TryGetValue(key, out var value))
        {
            return null;
        }

        return value is { Type: GgufValueType.Boolean, IsArray: false } && BytesOf(value)[0] <= 1
            ? BytesOf(value)[0] == 1
            : throw Wrong(key, "true or false");
    }

    /// <summary>Null where the key is missing.</summary>
    public string[]? Texts(string key)
    {
        if (!values.TryGetValue(key, out var value))
        {
            return null;
        }

        if (value is not { Type: GgufValueType.Text, IsArray: true })
        {
            throw Wrong(key, "an array of strings");
        }

        var reader = ReaderAt(value);
        var texts = new string[value.Count];
        for (var i = 0; i < texts.Length; i++)
        {
            texts[i] = reader.Text(key, int.MaxValue);
        }

        return texts;
    }

    public CheckpointFormatException Wrong(string key, string expected) => new(
        file, $"has {(values.TryGetValue(key, out var value) ? $"{value} as '{key}'" : $"no '{key}'")}; expected {expected}");

    private long[] IntegersOf(string key, GgufValue value)
    {
        if (value.Type == GgufValueType.Text)
        {
            throw Wrong(key, "whole numbers");
        }

        var all = BytesOf(value);
        var size = GgufReader.MinSize(value.Type);
        var integers = new long[value.Count];
        for (var i = 0; i < integers.Length; i++)
        {
            var bytes = all.Slice(i * size, size);
            integers[i] = value.Type switch
            {
                GgufValueType.UInt8 => bytes[0],
                GgufValueType.Int8 => (sbyte)bytes[0],
                GgufValueType.UInt16 => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
                GgufValueType.Int16 => BinaryPrimitives.ReadInt16LittleEndian(bytes),
                GgufValueType.UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
                GgufValueType.Int32 => BinaryPrimitives.ReadInt32LittleEndian(bytes),
                GgufValueType.Int64 => BinaryPrimitives.ReadInt64LittleEndian(bytes),
                GgufValueType.UInt64 when BinaryPrimitives.ReadUInt64LittleEndian(bytes) is var wide and <= long.MaxValue => (long)wide,
                _ => throw Wrong(key, "whole numbers"),
            };
        }

        return integers;
    }

    private double[] NumbersOf(string key, GgufValue value)
    {
        if (value.Type is not (GgufValueType.Float32 or GgufValueType.Float64))
        {
            return Array.ConvertAll(IntegersOf(key, value), integer => (double)integer);
        }

        var all = BytesOf(value);
        var size = GgufReader.MinSize(value.Type);
        var numbers = new double[value.Count];
        for (var i = 0; i < numbers.Length; i++)
        {
            var bytes = all.Slice(i * size, size);
            numbers[i] = value.Type == GgufValueType.Float32
                ? BinaryPrimitives.ReadSingleLittleEndian(bytes)
                : BinaryPrimitives.ReadDoubleLittleEndian(bytes);
            if (!double.IsFinite(numbers[i]))
            {
                throw new CheckpointFormatException(file, $"has {numbers[i]} in '{key}'; expected a finite number");
            }
        }

        return numbers;
    }

    /// <summary>Of a value that is no string.</summary>
    private ReadOnlySpan<byte> BytesOf(GgufValue value) =>
        mapping.Bytes(value.Offset, value.Count * GgufReader.MinSize(value.Type));

    private GgufReader ReaderAt(GgufValue value) =>
        new(file, mapping.Bytes(0, (int)Math.Min(mapping.Length, GgufFile.MaxHeadBytes)), value.Offset);
}
