using System.Buffers.Binary;
using System.Text.Json;
using Cluster.Worker.Compute;

namespace Cluster.Worker.Models.Checkpoints;

/// <summary>Writes weights as one safetensors file, as <see cref="SafetensorsFile"/> reads it. Called by the command that writes synthetic
/// models down.</summary>
internal static class CheckpointWriter
{
    private const int Alignment = 8;

    /// <param name="shapes">The same tensors without contents, which cost no time to make.</param>
    /// <param name="written">Told after each tensor: bytes so far, and of all.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, WeightSource weights, WeightSource shapes, Action<long, long>? written = null)
    {
        // Wide elements first, so that all of them are aligned.
        var tensors = weights.Names.Select(name => shapes.Find(name)!).OrderByDescending(tensor => tensor.DType.Size()).ToArray();
        var header = Header(tensors);
        var total = tensors.Sum(tensor => tensor.ByteLength);
        GrowingFile.Write(path, header.Length + total, file =>
        {
            file.Write(header);
            long done = 0;
            foreach (var shape in tensors)
            {
                var tensor = weights.Find(shape.Name)!;
                for (var row = 0; row < tensor.Rows; row++)
                {
                    file.Write(tensor.Row(row));
                }

                GC.KeepAlive(tensor);
                written?.Invoke(done += tensor.ByteLength, total);
            }
        });
    }

    private static byte[] Header(IReadOnlyList<HostTensor> tensors)
    {
        using var stream = new MemoryStream();
        stream.Write(stackalloc byte[sizeof(long)]);
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            writer.WriteStartObject("__metadata__");
            writer.WriteString("format", "pt");
            writer.WriteEndObject();
            long offset = 0;
            foreach (var tensor in tensors)
            {
                writer.WriteStartObject(tensor.Name);
                writer.WriteString("dtype", SafetensorsDTypes.Spelling(tensor.DType));
                writer.WriteStartArray("shape");
                foreach (var length in tensor.Shape)
                {
                    writer.WriteNumberValue(length);
                }

                writer.WriteEndArray();
                writer.WriteStartArray("data_offsets");
                writer.WriteNumberValue(offset);
                writer.WriteNumberValue(offset += tensor.ByteLength);
                writer.WriteEndArray();
                writer.WriteEndObject();
            }

            writer.WriteEndObject();
        }

        while (stream.Length % Alignment != 0)
        {
            stream.WriteByte((byte)' ');
        }

        var header = stream.ToArray();
        BinaryPrimitives.WriteInt64LittleEndian(header, header.Length - sizeof(long));
        return header;
    }
}
