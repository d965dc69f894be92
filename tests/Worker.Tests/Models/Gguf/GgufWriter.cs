using System.Text;

namespace Cluster.Worker.Tests.Models.Gguf;

/// <summary>Writes GGUF files: ggml's <c>docs/gguf.md</c>. Knows nothing of the code under test.</summary>
internal sealed class GgufWriter(uint version = 3, int alignment = 32)
{
    private readonly MemoryStream _keys = new();
    private readonly List<(string Name, uint Type, long[] Shape, byte[] Bytes)> _tensors = [];
    private int _keyCount;

    public GgufWriter Add(string key, string value) => AddValue(key, 8, writer => WriteText(writer, value));

    public GgufWriter Add(string key, uint value) => AddValue(key, 4, writer => writer.Write(value));

    public GgufWriter Add(string key, float value) => AddValue(key, 6, writer => writer.Write(value));

    public GgufWriter Add(string key, bool value) => AddValue(key, 7, writer => writer.Write(value));

    public GgufWriter Add(string key, IReadOnlyCollection<string> values) => AddArray(key, 8, values, WriteText);

    public GgufWriter Add(string key, IReadOnlyCollection<float> values) =>
        AddArray(key, 6, values, (writer, value) => writer.Write(value));

    public GgufWriter Add(string key, IReadOnlyCollection<int> values) => AddArray(key, 5, values, (writer, value) => writer.Write(value));

    /// <param name="shape">Row-major; written the other way round.</param>
    public GgufWriter AddTensor(string name, uint type, byte[] bytes, params long[] shape)
    {
        _tensors.Add((name, type, shape, bytes));
        return this;
    }

    public byte[] ToBytes()
    {
        if (alignment != 32)
        {
            Add("general.alignment", (uint)alignment);
        }

        MemoryStream file = new();
        using BinaryWriter writer = new(file);
        writer.Write("GGUF"u8);
        writer.Write(version);
        writer.Write((ulong)_tensors.Count);
        writer.Write((ulong)_keyCount);
        writer.Write(_keys.ToArray());
        long offset = 0;
        foreach (var (name, type, shape, bytes) in _tensors)
        {
            WriteText(writer, name);
            writer.Write((uint)shape.Length);
            foreach (var length in shape.Reverse())
            {
                writer.Write((ulong)length);
            }

            writer.Write(type);
            writer.Write((ulong)offset);
            offset = (offset + bytes.Length + alignment - 1) / alignment * alignment;
        }

        foreach (var tensor in _tensors)
        {
            writer.Write(new byte[((alignment - (file.Position % alignment)) % alignment)]);
            writer.Write(tensor.Bytes);
        }

        return file.ToArray();
    }

    private static void WriteText(BinaryWriter writer, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    private GgufWriter AddArray<T>(string key, uint type, IReadOnlyCollection<T> values, Action<BinaryWriter, T> write) =>
        AddValue(key, 9, writer =>
        {
            writer.Write(type);
            writer.Write((ulong)values.Count);
            foreach (var value in values)
            {
                write(writer, value);
            }
        });

    private GgufWriter AddValue(string key, uint type, Action<BinaryWriter> write)
    {
        using BinaryWriter writer = new(_keys, Encoding.UTF8, leaveOpen: true);
        WriteText(writer, key);
        writer.Write(type);
        write(writer);
        _keyCount++;
        return this;
    }
}
