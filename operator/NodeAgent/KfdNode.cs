using System.Globalization;

namespace Cluster.Operator.NodeAgent;

/// <summary>One node of the KFD topology: a CPU socket, a GPU, or a partition of a GPU. Read by <see cref="KfdTopology"/>.</summary>
internal sealed class KfdNode
{
    private const int XgmiLink = 11;
    private const int MaxChildren = 4096;

    private readonly Dictionary<string, ulong> _properties;

    private KfdNode(int number, Dictionary<string, ulong> properties, string path)
    {
        Number = number;
        _properties = properties;
        VramBytes = Children(path, "mem_banks").Where(b => b.GetValueOrDefault("heap_type") is 1 or 2)
            .Sum(b => (long)b.GetValueOrDefault("size_in_bytes"));
        XgmiPeers = [
            .. Children(path, "io_links").Where(l => l.GetValueOrDefault("type") == XgmiLink)
                .Select(l => (int)l.GetValueOrDefault("node_to"))];
    }

    public int Number { get; }

    public bool IsGpu => this["simd_count"] > 0;

    public long VramBytes { get; }

    /// <summary>Numbers of the nodes it reaches over XGMI, CPUs included.</summary>
    public IReadOnlyList<int> XgmiPeers { get; }

    /// <summary>Of the PCI function, which partitions of one GPU share: <c>0000:e9:00.0</c>.</summary>
    /// <remarks>location_id holds the bus in bits 15–8, the device in 7–3, the function in 2–0; on a partitioned GPU bits 31–28 number the
    /// partition.</remarks>
    public string PciAddress
    {
        get
        {
            var location = this["location_id"];
            return string.Create(
                CultureInfo.InvariantCulture,
                $"{this["domain"]:x4}:{(location >> 8) & 0xff:x2}:{(location >> 3) & 0x1f:x2}.{location & 7}");
        }
    }

    /// <summary>LLVM's name of the instruction set, <c>gfx942</c>; null when the driver does not tell.</summary>
    /// <remarks>gfx_target_version is major · 10000 + minor · 100 + stepping; minor and stepping are written in hexadecimal (90010 is
    /// gfx90a).</remarks>
    public string? Gfx =>
        this["gfx_target_version"] is var version and not 0
            ? string.Create(CultureInfo.InvariantCulture, $"gfx{version / 10000}{version / 100 % 100:x}{version % 100:x}")
            : null;

    /// <summary>A property, 0 when absent.</summary>
    public ulong this[string name] => _properties.GetValueOrDefault(name);

    /// <returns>Null for a node without properties.</returns>
    /// <exception cref="UnauthorizedAccessException">The container's device cgroup hides the GPU: the kernel checks it when the properties
    /// are read.</exception>
    /// <exception cref="IOException">The properties could not be read.</exception>
    public static KfdNode? Read(int number, string path) =>
        Properties(SysfsFile.Read(Path.Combine(path, "properties"))) is { Count: > 0 } properties
            ? new KfdNode(number, properties, path)
            : null;

    /// <summary>Folders named by a number, in its order. Bounded.</summary>
    public static IEnumerable<(int Number, string Path)> NumberedFolders(string path) =>
        !Directory.Exists(path)
            ? []
            : Directory.EnumerateDirectories(path)
                .Take(MaxChildren)
                .Select(
                    p => (IsNumber: int.TryParse(Path.GetFileName(p), NumberStyles.None, CultureInfo.InvariantCulture, out var n),
                        Number: n, Path: p))
                .Where(p => p.IsNumber)
                .OrderBy(p => p.Number)
                .Select(p => (p.Number, p.Path));

    private static IEnumerable<Dictionary<string, ulong>> Children(string path, string kind) =>
        NumberedFolders(Path.Combine(path, kind)).Select(f => Properties(SysfsFile.ReadIfAllowed(Path.Combine(f.Path, "properties"))));

    private static Dictionary<string, ulong> Properties(string? text)
    {
        Dictionary<string, ulong> properties = new(StringComparer.Ordinal);
        foreach (var line in text?.Split('\n') ?? [])
        {
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var name, var value]
                && ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            {
                properties[name] = number;
            }
        }

        return properties;
    }
}
