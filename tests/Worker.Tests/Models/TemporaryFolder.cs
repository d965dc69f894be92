using System.Buffers.Binary;
using System.Text;

namespace Cluster.Worker.Tests.Models;

/// <summary>A folder for one test's files, removed when disposed.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("cluster-models-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);

    public string Write(string name, string text) => Write(name, Encoding.UTF8.GetBytes(text));

    public string Write(string name, byte[] bytes)
    {
        var path = System.IO.Path.Combine(Path, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    /// <summary>Writes a safetensors file with any header and any number of data bytes: 0, 1, 2, …</summary>
    /// <param name="headerBytes">The length that the file claims; null tells the truth.</param>
    public string WriteSafetensors(string name, string header, int dataBytes, ulong? headerBytes = null)
    {
        var json = Encoding.UTF8.GetBytes(header);
        var file = new byte[8 + json.Length + dataBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(file, headerBytes ?? (ulong)json.Length);
        json.CopyTo(file, 8);
        for (var i = 0; i < dataBytes; i++)
        {
            file[8 + json.Length + i] = (byte)i;
        }

        return Write(name, file);
    }
}
