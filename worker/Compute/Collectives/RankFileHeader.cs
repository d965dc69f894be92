using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Cluster.Worker.Compute.Collectives;

/// <summary>The first bytes of a <see cref="RankFile"/>: who may join.</summary>
/// <remarks><code>
/// 0 magic │ 8 layout │ 12 ranks │ 16 bytes of a slot │ 20 length of the version │ 24 version, UTF-8
/// </code>The magic is written last: a file that has it is whole.</remarks>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct RankFileHeader
{
    /// <summary>Bytes before the group's shared memory.</summary>
    public const int Bytes = 256;

    public const ulong Valid = 0x4B4E_4152_5453_4C43; // "CLSTRANK", little-endian

    private const int CurrentLayout = 1;
    private const int MaxVersionBytes = 128;

    public ulong Magic;
    private int _layout;
    private int _size;
    private int _slotBytes;
    private int _versionBytes;
    private fixed byte _version[MaxVersionBytes];

    /// <summary>Everything but the magic.</summary>
    public static RankFileHeader Of(int size, int slotBytes, string version)
    {
        var header = new RankFileHeader { _layout = CurrentLayout, _size = size, _slotBytes = slotBytes };
        header._versionBytes = Encoding.UTF8.GetBytes(version, new Span<byte>(header._version, MaxVersionBytes));
        return header;
    }

    /// <summary>Reads the header of a file; false where it is not whole, or not yet.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static bool TryRead(SafeFileHandle file, out RankFileHeader header)
    {
        header = default;
        var bytes = MemoryMarshal.AsBytes(new Span<RankFileHeader>(ref header));
        return RandomAccess.Read(file, bytes, 0) == bytes.Length && header.Magic == Valid;
    }

    /// <summary>Why a rank that was started with these values must not join; null when it may.</summary>
    public readonly string? Refusal(int size, int slotBytes, string version)
    {
        if (_layout != CurrentLayout)
        {
            return $"rank 0 lays memory out as number {_layout}, this rank as {CurrentLayout}: all ranks must be the same build";
        }

        fixed (byte* text = _version)
        {
            var theirs = Encoding.UTF8.GetString(text, Math.Clamp(_versionBytes, 0, MaxVersionBytes));
            if (theirs != version)
            {
                return $"rank 0 is version {theirs}, this rank {version}: all ranks must be the same build";
            }
        }

        return _size != size ? $"rank 0 was started with {_size} ranks, this rank with {size}"
            : _slotBytes != slotBytes ? $"rank 0 was started with slots of {_slotBytes} bytes, this rank with {slotBytes}"
            : null;
    }
}
