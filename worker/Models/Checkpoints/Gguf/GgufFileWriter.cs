using System.Text;

namespace Cluster.Worker.Models.Checkpoints.Gguf;

/// <summary>Writes a GGUF file (ggml's <c>docs/gguf.md</c>) tensor by tensor, none of which need be in memory. Used by
/// <see cref="Sources.SyntheticGguf"/>.</summary>
internal sealed class GgufFileWriter
{
    private const int Alignment = 32;
    private const uint Version = 3;

    private readonly MemoryStream _keys = new();
    private readonly List<PendingTensor> _tensors = [];
    private int _keyCount;

    /// <summary>Of all tensors, without what lies between them.</summary>
    public long TensorBytes => _tensors.Sum(tensor => tensor.Bytes);

    public GgufFileWriter Add(string key, string value) => AddValue(key, GgufValueType.Text, writer => WriteText(writer, value));

    public GgufFileWriter Add(string key, int value) => AddValue(key, GgufValueType.UInt32, writer => writer.Write((uint)value));

    public GgufFileWriter Add(string key, float value) => AddValue(key, GgufValueType.Float32, writer => writer.Write(value));

    public GgufFileWriter Add(string key, bool value) => AddValue(key, GgufValueType.Boolean, writer => writer.Write(value));

    public GgufFileWriter Add(string key, IReadOnlyCollection<string> values) =>
        AddArray(key, GgufValueType.Text, values, WriteText);

    public GgufFileWriter Add(string key, IReadOnlyCollection<int> values) =>
        AddArray(key, GgufValueType.Int32, values, (writer, value) => writer.Write(value));

    /// <param name="shape">Row-major; written the other way round.</param>
    /// <param name="write">Writes all elements.</param>
    public GgufFileWriter AddTensor(string name, GgufType type, ReadOnlySpan<int> shape, Action<Stream> write)
    {
        long blocks = 1;
        foreach (var length in shape)
        {
            blocks *= length;
        }

        _tensors.Add(new PendingTensor(name, type, shape.ToArray(), blocks / type.BlockSize() * type.BlockBytes(), write));
        return this;
    }

    /// <param name="written">Told after each tensor: bytes so far, and of all.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Write(string path, Action<long, long>? written = null)
    {
        var total = TensorBytes;
        GrowingFile.Write(path, total + _keys.Length, file =>
        {
            using var writer = new BinaryWriter(file, Encoding.UTF8, leaveOpen: true);
            writer.Write("GGUF"u8);
            writer.Write(Version);
            writer.Write((ulong)_tensors.Count);
            writer.Write((ulong)_keyCount);
            writer.Write(_keys.ToArray());
            long offset = 0;
            foreach (var tensor in _tensors)
            {
                WriteText(writer, tensor.Name);
                writer.Write((uint)tensor.Shape.Length);
                foreach (var length in tensor.Shape.Reverse())
                {
                    writer.Write((ulong)length);
                }

                writer.Write((uint)tensor.Type);
                writer.Write((ulong)offset);
                offset = (offset + tensor.Bytes + Alignment - 1) / Alignment * Alignment;
            }

            long done = 0;
            foreach (var tensor in _tensors)
            {
                writer.Flush();
                writer.Write(new byte[(Alignment - (file.Position % Alignment)) % Alignment]);
                writer.Flush();
                var start = file.Position;
                tensor.Write(file);
                if (file.Position - start != tensor.Bytes)
                {
                    throw new InvalidOperationException($"'{tensor.Name}' has {file.Position - start} bytes; expected {tensor.Bytes}");
                }

                written?.Invoke(done += tensor.Bytes, total);
            }
        });
    }

    private static void WriteText(BinaryWriter writer, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    private GgufFileWriter AddArray<T>(string key, GgufValueType type, IReadOnlyCollection<T> values, Action<BinaryWriter, T> write) =>
        AddValue(key, GgufValueType.Array, writer =>
        {
            writer.Write((uint)type);
            writer.Write((ulong)values.Count);
            foreach (var value in values)
            {
                write(writer, value);
            }
        });

    private GgufFileWriter AddValue(string key, GgufValueType type, Action<BinaryWriter> write)
    {
        using var writer = new BinaryWriter(_keys, Encoding.UTF8, leaveOpen: true);
        WriteText(writer, key);
        writer.Write((uint)type);
        write(writer);
        _keyCount++;
        return this;
    }

    private sealed record PendingTensor(string Name, GgufType Type, int[] Shape, long Bytes, Action<Stream> Write);
}
