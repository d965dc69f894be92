using System.Buffers.Binary;
using System.Text;

namespace Cluster.Worker.Compute.Ilgpu.Launch.Hip;

/// <summary>What is read of <c>hipDeviceProp_t</c>, a struct of hip_runtime_api.h whose layout goes with the name of the function that
/// fills it.</summary>
/// <param name="Architecture"><c>gcnArchName</c>: <c>gfx942:sramecc+:xnack-</c>.</param>
/// <param name="SharedBytes">Of a group.</param>
/// <param name="Units">Compute units.</param>
internal sealed record HipProperties(string Name, string Architecture, long MemoryBytes, long SharedBytes, int Units)
{
    /// <summary>Filled by <c>hipGetDevicePropertiesR0600</c>, of ROCm 6 and later.</summary>
    public static readonly (int Memory, int Shared, int Units, int Architecture) R0600 = (288, 296, 388, 1160);

    /// <summary>Filled by the <c>hipGetDeviceProperties</c> of libraries that have no other: of ROCm 5.</summary>
    public static readonly (int Memory, int Shared, int Units, int Architecture) R0000 = (256, 264, 336, 396);

    /// <summary>Room for either struct, and for what may be added to one.</summary>
    public const int Bytes = 4096;

    private const int TextBytes = 256;

    /// <param name="properties">As the function has filled it.</param>
    public static HipProperties Read(ReadOnlySpan<byte> properties, (int Memory, int Shared, int Units, int Architecture) layout) => new(
        Text(properties), Text(properties[layout.Architecture..]), BinaryPrimitives.ReadInt64LittleEndian(properties[layout.Memory..]),
        BinaryPrimitives.ReadInt64LittleEndian(properties[layout.Shared..]),
        BinaryPrimitives.ReadInt32LittleEndian(properties[layout.Units..]));

    private static string Text(ReadOnlySpan<byte> bytes)
    {
        var text = bytes[..TextBytes];
        return Encoding.UTF8.GetString(text[..(text.IndexOf((byte)0) is >= 0 and var end ? end : TextBytes)]);
    }
}
