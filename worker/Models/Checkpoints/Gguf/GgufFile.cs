using System.Collections.Immutable;
using System.Numerics;

namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>One GGUF file, memory-mapped: what its head says. Format: ggml's <c>docs/gguf.md</c>, versions 2 and 3, little-endian. Used by
/// <see cref="GgufModel"/>.</summary>
/// <remarks>
/// <code>
/// [ "GGUF" ][ u32 version ][ u64 tensors ][ u64 keys ]
/// [ keys:    string name, u32 type, value ]
/// [ tensors: string name, u32 dimensions, u64 of each (columns first), u32 type, u64 offset in the data ]
/// [ padding ][ data: each tensor at a multiple of general.alignment ]
/// </code>
/// A downloaded file is not trusted: counts are believed as far as the bytes for them are there, and every tensor must lie in the
/// file.</remarks>
internal sealed class GgufFile
{
    /// <summary>Most bytes before the data; a vocabulary of 260 000 tokens with its merges takes 15 MB.</summary>
    public const long MaxHeadBytes = 1 << 29;

    private const string AlignmentKey = "general.alignment";
    private const uint Magic = 0x46554747;
    private const int MaxKeys = 1 << 16;
    private const int MaxTensors = 1 << 20;
    private const int MaxNameBytes = 1 << 16;
    private const int MaxDimensions = 4;
    private const int MaxAlignment = 1 << 20;

    private GgufFile(string path, MappedFile mapping, GgufMetadata metadata, ImmutableArray<GgufTensor> tensors)
    {
        Path = path;
        Mapping = mapping;
        Metadata = metadata;
        Tensors = tensors;
    }

    public string Path { get; }

    /// <summary>Holds the tensors' bytes, and owns them.</summary>
    public MappedFile Mapping { get; }

    public GgufMetadata Metadata { get; }

    /// <summary>In the order of the file.</summary>
    public ImmutableArray<GgufTensor> Tensors { get; }

    /// <summary>Maps the file and checks its head; reads no weights.</summary>
    /// <exception cref="CheckpointFormatException">The file is truncated or breaks the format, or has a tensor of a type that cannot be
    /// read.</exception>
    /// <exception cref="IOException">The file does not exist or cannot be read.</exception>
    /// <exception cref="RefusedFileException">It is no regular file.</exception>
    public static GgufFile Open(string path)
    {
        using var stream = RegularFile.OpenStream(path, FileKind.Weights with { StaysInFolder = false });
        if (stream.Length < 24)
        {
            throw new CheckpointFormatException(path, $"has {stream.Length} bytes; a GGUF file begins with 24 bytes of counts");
        }

        var mapping = MappedFile.Of(stream);
        var reader = new GgufReader(path, mapping.Bytes(0, (int)Math.Min(mapping.Length, MaxHeadBytes)), 0);
        if (reader.UInt32("the magic number") != Magic)
        {
            throw new CheckpointFormatException(path, "is no GGUF file: it does not begin with 'GGUF'");
        }

        var version = reader.UInt32("the version");
        if (version is not (2 or 3))
        {
            throw new CheckpointFormatException(
                path,
                version is > 0 and < 1 << 16
                    ? $"is GGUF version {version}; supported: 2, 3"
                    : "is a big-endian GGUF file; supported: little-endian");
        }

        var tensorCount = Count(path, reader.UInt64("the number of tensors"), "tensors", MaxTensors);
        var keyCount = Count(path, reader.UInt64("the number of keys"), "keys", MaxKeys);
        var metadata = new GgufMetadata(path, mapping, ReadKeys(path, ref reader, keyCount));
        var alignment = metadata.Integer(AlignmentKey) ?? 32;
        if (alignment is < 1 or > MaxAlignment || !BitOperations.IsPow2(alignment))
        {
            throw metadata.Wrong(AlignmentKey, $"a power of two up to {MaxAlignment}, not {alignment}");
        }

        return new GgufFile(path, mapping, metadata, ReadTensors(path, ref reader, tensorCount, (int)alignment, mapping.Length));
    }

    private static int Count(string path, ulong count, string what, int max) => count <= (ulong)max
        ? (int)count
        : throw new CheckpointFormatException(path, $"claims {count} {what}; at most {max} are allowed");

    private static Dictionary<string, GgufValue> ReadKeys(string path, ref GgufReader reader, int count)
    {
        var values = new Dictionary<string, GgufValue>(StringComparer.Ordinal);
        for (var i = 0; i < count; i++)
        {
            var key = reader.Text($"key {i}", MaxNameBytes);
            if (!values.TryAdd(key, reader.Value($"'{key}'")))
            {
                throw new CheckpointFormatException(path, $"has the key '{key}' twice");
            }
        }

        return values;
    }

    private static ImmutableArray<GgufTensor> ReadTensors(string path, ref GgufReader reader, int count, int alignment, long fileBytes)
    {
        var stated = new List<(string Name, GgufType Type, ImmutableArray<int> Shape, ulong Offset)>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < count; i++)
        {
            var name = reader.Text($"the name of tensor {i}", MaxNameBytes);
            if (!names.Add(name))
            {
                throw new CheckpointFormatException(path, name, "is there twice");
            }

            var shape = ReadShape(path, name, ref reader);
            var number = reader.UInt32(name);
            var type = GgufTypes.Of(number)
                ?? throw new CheckpointFormatException(path, name, $"is {GgufTypes.Spelling(number)}; supported: {GgufTypes.Supported}");
            stated.Add((name, type, shape, reader.UInt64(name)));
        }

        var dataOffset = (long)(reader.Position + alignment - 1) / alignment * alignment;
        return [
            .. stated.Select(tensor =>
                Check(path, tensor.Name, tensor.Type, tensor.Shape, tensor.Offset, dataOffset, alignment, fileBytes))];
    }

    private static ImmutableArray<int> ReadShape(string path, string name, ref GgufReader reader)
    {
        var dimensions = reader.UInt32(name);
        if (dimensions is 0 or > MaxDimensions)
        {
            throw new CheckpointFormatException(path, name, $"has {dimensions} dimensions; expected 1 to {MaxDimensions}");
        }

        var shape = new int[dimensions];
        for (var i = shape.Length - 1; i >= 0; i--)
        {
            var length = reader.UInt64(name);
            shape[i] = length is > 0 and <= int.MaxValue
                ? (int)length
                : throw new CheckpointFormatException(path, name, $"has a dimension of {length}; expected 1 to {int.MaxValue}");
        }

        return [.. shape];
    }

    private static GgufTensor Check(
        string path, string name, GgufType type, ImmutableArray<int> shape, ulong offset, long dataOffset, int alignment, long fileBytes)
    {
        if (shape[^1] % type.BlockSize() != 0)
        {
            throw new CheckpointFormatException(path, name, $"has rows of {shape[^1]} {type}, which come in {type.BlockSize()}s");
        }

        // HostTensor addresses an index of the first dimension by a span: its bytes must fit an int.
        var bytes = shape[^1] / type.BlockSize() * (Int128)type.BlockBytes();
        for (var i = shape.Length - 2; i >= 0; i--)
        {
            if (bytes > int.MaxValue)
            {
                throw new CheckpointFormatException(path, name, $"has shape [{string.Join(", ", shape)}], whose product overflows");
            }

            bytes *= shape[i];
        }

        if (offset % (ulong)alignment != 0)
        {
            throw new CheckpointFormatException(path, name, $"begins at {offset}, which is no multiple of the alignment, {alignment}");
        }

        return dataOffset + (Int128)offset + bytes <= fileBytes
            ? new GgufTensor(name, type, shape, dataOffset + (long)offset, (long)bytes)
            : throw new CheckpointFormatException(
                path, name, $"takes {bytes} bytes from {offset} of the data on, outside the file of {fileBytes} bytes (truncated file?)");
    }
}
