using System.Runtime.InteropServices;

namespace Cluster.Common.Files;

/// <summary><c>struct statx</c>, which unlike <c>struct stat</c> is the same on every processor (statx(2)). Filled by
/// <see cref="StatusCall"/>.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal readonly struct StatusBuffer
{
    private const int KindMask = 0xF000;

    [FieldOffset(16)]
    public readonly uint Links;

    [FieldOffset(20)]
    public readonly uint Owner;

    [FieldOffset(28)]
    public readonly ushort Mode;

    [FieldOffset(32)]
    public readonly ulong Inode;

    [FieldOffset(40)]
    public readonly long Length;

    [FieldOffset(136)]
    private readonly uint _deviceMajor;

    [FieldOffset(140)]
    private readonly uint _deviceMinor;

    public ulong Device => ((ulong)_deviceMajor << 32) | _deviceMinor;

    public NodeType Type => (Mode & KindMask) switch
    {
        0x1000 => NodeType.Pipe,
        0x2000 => NodeType.CharacterDevice,
        0x4000 => NodeType.Folder,
        0x6000 => NodeType.BlockDevice,
        0x8000 => NodeType.Regular,
        0xA000 => NodeType.Link,
        0xC000 => NodeType.Socket,
        _ => NodeType.Other,
    };
}
