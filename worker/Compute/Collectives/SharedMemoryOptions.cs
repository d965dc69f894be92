using System.Reflection;

namespace Cluster.Worker.Compute.Collectives;

/// <summary>How processes form a group. Every rank must be given the same timeout, slots and version.</summary>
internal sealed record SharedMemoryOptions
{
    /// <summary>How long a call waits for another rank, joining included; <see cref="Timeout.InfiniteTimeSpan"/>: as long as it lives. A
    /// rank that has ended is noticed at once in either case.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Bytes that change hands at once; longer messages go in several turns. The group takes twice as much for each
    /// rank.</summary>
    public int SlotBytes { get; init; } = GroupLimits.DefaultSlotBytes;

    /// <summary>What ranks must agree on: two builds may compute, or lay out memory, differently.</summary>
    public string Version { get; init; } = ThisBuild;

    /// <summary>Whether ranks that have not joined still can, as far as this rank's supervisor knows: asked now and then while this rank
    /// waits for them.</summary>
    public Func<bool> CanJoin { get; init; } = static () => true;

    /// <summary>Free bytes of the file system a directory is on. Default: what the system says.</summary>
    public Func<string, long> FreeBytes { get; init; } = static directory => new DriveInfo(directory).AvailableFreeSpace;

    /// <summary>The version, and what is different for every code compiled.</summary>
    public static string ThisBuild { get; } = Describe(typeof(SharedMemoryOptions).Assembly);

    private static string Describe(Assembly assembly) =>
        $"{assembly.GetName().Version?.ToString(3)}+{assembly.ManifestModule.ModuleVersionId.ToString("N")[..12]}";
}
