using System.Buffers.Binary;
using System.Text;

namespace Cluster.Worker.Tests.Models;

/// <summary>Safetensors files of a test, right or wrong.</summary>
internal static class SafetensorsFolder
{
    /// <summary>Writes a safetensors file with any header and any number of data bytes: 0, 1, 2, …</summary>
    /// <param name="headerBytes">The length that the file claims; null tells the truth.</param>
    public static string WriteSafetensors(this TemporaryFolder folder, string name, string header, int dataBytes, ulong? headerBytes = null)
    {
        var json = Encoding.UTF8.GetBytes(header);
        var file = new byte[8 + json.Length + dataBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(file, headerBytes ?? (ulong)json.Length);
        json.CopyTo(file, 8);
        for (var i = 0; i < dataBytes; i++)
        {
            file[8 + json.Length + i] = (byte)i;
        }

        return folder.Write(name, file);
    }
}
