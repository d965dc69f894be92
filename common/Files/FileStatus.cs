using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Cluster.Common.Files;

/// <summary>What the system knows of a file and .NET does not tell: whose it is, and whether two names are one file. Linux only; elsewhere
/// there is none.</summary>
/// <param name="Owner">User id.</param>
/// <param name="Mode">Kind and permissions, as in <c>st_mode</c>.</param>
/// <param name="Links">Names that the file has.</param>
/// <param name="Device">With <paramref name="Inode"/> the file's identity.</param>
internal readonly partial record struct FileStatus(uint Owner, ushort Mode, uint Links, ulong Device, ulong Inode)
{
    private const int CurrentFolder = -100;
    private const int NoFollow = 0x100;
    private const int EmptyPath = 0x1000;
    private const uint BasicStatus = 0x7ff;
    private const int KindMask = 0xf000;
    private const int Regular = 0x8000;
    private const int Folder = 0x4000;
    private const int OthersMayWrite = 0x12;
    private const int OthersMay = 0x3f;

    public bool IsFile => (Mode & KindMask) == Regular;

    public bool IsFolder => (Mode & KindMask) == Folder;

    /// <summary>Whether it belongs to the user of this process.</summary>
    public bool IsMine => Owner == EffectiveUser();

    /// <summary>Whether only this user, or root, can have written what is in it.</summary>
    public bool IsTrusted => (IsMine || Owner == 0) && (Mode & OthersMayWrite) == 0;

    /// <summary>Whether nobody but its owner may do anything with it.</summary>
    public bool IsPrivate => (Mode & OthersMay) == 0;

    /// <summary>Of what is open; null where the system does not say.</summary>
    public static FileStatus? Of(SafeFileHandle file)
    {
        var added = false;
        try
        {
            file.DangerousAddRef(ref added);
            return Read((int)file.DangerousGetHandle(), "", EmptyPath);
        }
        finally
        {
            if (added)
            {
                file.DangerousRelease();
            }
        }
    }

    /// <summary>Of a name, of the link itself where it is one; null where there is nothing, or the system does not say.</summary>
    public static FileStatus? Of(string path) => Read(CurrentFolder, path, NoFollow);

    private static unsafe FileStatus? Read(int folder, string path, int flags)
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        StatusBuffer buffer;
        fixed (byte* name = Encoding.UTF8.GetBytes(path + '\0'))
        {
            return ReadStatus(folder, name, flags, BasicStatus, &buffer) == 0
                ? new FileStatus(
                    buffer.Owner, buffer.Mode, buffer.Links, ((ulong)buffer.DeviceMajor << 32) | buffer.DeviceMinor, buffer.Inode)
                : null;
        }
    }

    [LibraryImport("libc", EntryPoint = "statx")]
    private static unsafe partial int ReadStatus(int folder, byte* path, int flags, uint mask, StatusBuffer* status);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUser();

    /// <summary><c>struct statx</c>, which unlike <c>struct stat</c> is the same on every processor (statx(2)).</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct StatusBuffer
    {
        [FieldOffset(16)]
        public uint Links;

        [FieldOffset(20)]
        public uint Owner;

        [FieldOffset(28)]
        public ushort Mode;

        [FieldOffset(32)]
        public ulong Inode;

        [FieldOffset(136)]
        public uint DeviceMajor;

        [FieldOffset(140)]
        public uint DeviceMinor;
    }
}
