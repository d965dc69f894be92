using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Cluster.Common.Files;

/// <summary>What the system knows of a file and .NET does not tell: whose it is, and whether two names are one file. Linux only; elsewhere
/// there is none.</summary>
/// <param name="Owner">User id.</param>
/// <param name="Mode">Kind and permissions, as in <c>st_mode</c>.</param>
/// <param name="Links">Names that the file has.</param>
/// <param name="Device">With <paramref name="Inode"/> the file's identity.</param>
internal readonly partial record struct FileStatus(NodeType Type, uint Owner, ushort Mode, uint Links, ulong Device, ulong Inode)
{
    private const int OthersMayWrite = 0x12;
    private const int OthersMay = 0x3f;

    public bool IsFile => Type == NodeType.Regular;

    public bool IsFolder => Type == NodeType.Folder;

    /// <summary>Whether it belongs to the user of this process.</summary>
    public bool IsMine => Owner == EffectiveUser();

    /// <summary>Whether only this user, or root, can have written what is in it.</summary>
    public bool IsTrusted => (IsMine || Owner == 0) && (Mode & OthersMayWrite) == 0;

    /// <summary>Whether nobody but its owner may do anything with it.</summary>
    public bool IsPrivate => (Mode & OthersMay) == 0;

    /// <summary>Of what is open; null where the system does not say.</summary>
    public static FileStatus? Of(SafeFileHandle file) =>
        OperatingSystem.IsLinux() && StatusCall.Of(file, out var status) == 0 ? Of(status) : null;

    /// <summary>Of a name, of the link itself where it is one; null where there is nothing, or the system does not say.</summary>
    public static FileStatus? Of(string path) =>
        OperatingSystem.IsLinux() && StatusCall.Of(path, followLinks: false, out var status) == 0 ? Of(status) : null;

    private static FileStatus Of(in StatusBuffer status) =>
        new(status.Type, status.Owner, status.Mode, status.Links, status.Device, status.Inode);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUser();
}
