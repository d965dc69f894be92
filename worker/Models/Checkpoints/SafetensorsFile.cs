using System.Buffers.Binary;
using Cluster.Worker.Compute;
using Cluster.Worker.Models.Verification;

namespace Cluster.Worker.Models.Checkpoints;

/// <summary>One safetensors file, memory-mapped: nothing is read before a backend asks for a tensor's rows. Used by
/// <see cref="Checkpoint"/> and <see cref="GoldenFile"/>.</summary>
/// <remarks>
/// <code>
/// [ u64 little-endian: header bytes ][ JSON header, padded with spaces ][ data: tensors back to back ]
/// </code>
/// </remarks>
internal sealed class SafetensorsFile
{
    private const int LengthBytes = 8;

    private readonly MappedFile _mapping;
    private readonly Dictionary<string, HostTensor> _tensors = new(StringComparer.Ordinal);

    private SafetensorsFile(string path, MappedFile mapping, long dataOffset, IReadOnlyList<TensorEntry> entries)
    {
        Path = path;
        _mapping = mapping;
        foreach (var entry in entries)
        {
            _tensors.Add(
                entry.Name, new HostTensor(entry.Name, entry.DType, entry.Shape, mapping.AddressAt(dataOffset + entry.Offset), mapping));
        }
    }

    public string Path { get; }

    public IReadOnlyCollection<string> Names => _tensors.Keys;

    /// <summary>Maps the file and checks its header.</summary>
    /// <param name="kind">What it is read as; null for weights of a checkpoint.</param>
    /// <exception cref="CheckpointFormatException">The file is truncated or its header breaks the format.</exception>
    /// <exception cref="IOException">The file does not exist or cannot be read.</exception>
    /// <exception cref="RefusedFileException">It is no regular file.</exception>
    public static SafetensorsFile Open(string path, FileKind? kind = null)
    {
        using var stream = RegularFile.OpenStream(path, kind ?? FileKind.Weights);
        var length = stream.Length;
        if (length < LengthBytes)
        {
            throw new CheckpointFormatException(
                path, $"has {length} bytes; a safetensors file begins with {LengthBytes} bytes of header length");
        }

        var mapping = MappedFile.Of(stream);
        var headerBytes = BinaryPrimitives.ReadUInt64LittleEndian(mapping.Bytes(0, LengthBytes));
        if (headerBytes > SafetensorsHeader.MaxBytes)
        {
            throw new CheckpointFormatException(
                path, $"claims a header of {headerBytes} bytes; at most {SafetensorsHeader.MaxBytes} are allowed");
        }

        var dataOffset = LengthBytes + (long)headerBytes;
        if (dataOffset > mapping.Length)
        {
            throw new CheckpointFormatException(path, $"is truncated: the header takes {headerBytes} bytes, the file has {mapping.Length}");
        }

        var entries = SafetensorsHeader.Parse(path, mapping.Bytes(LengthBytes, (int)headerBytes), mapping.Length - dataOffset);
        return new SafetensorsFile(path, mapping, dataOffset, entries);
    }

    /// <summary>See <see cref="MappedFile.Forget"/>.</summary>
    public void Forget() => _mapping.Forget();

    /// <summary>Null when the file has no such tensor.</summary>
    public HostTensor? Find(string name) => _tensors.GetValueOrDefault(name);
}
