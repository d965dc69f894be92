using System.Globalization;
using Cluster.Operator.Api;

namespace Cluster.Operator.NodeAgent;

/// <summary>Reads this machine's AMD GPUs from the kernel's KFD topology, in the order ROCr enumerates them. Called by local
/// mode and by the node agent, which publishes the result as the node's GPU annotation.</summary>
/// <remarks>
/// <code>
/// ROOT/class/kfd/kfd/topology/nodes/N/properties           simd_count > 0: a GPU; unique_id, hive_id, device_id, location_id, domain
/// ROOT/class/kfd/kfd/topology/nodes/N/mem_banks/M/properties   heap_type 1, 2: its VRAM
/// ROOT/class/kfd/kfd/topology/nodes/N/io_links/L/properties    type 11: XGMI
/// ROOT/bus/pci/devices/DDDD:BB:DD.F/numa_node
/// </code>
/// Source: Linux drivers/gpu/drm/amd/amdkfd/kfd_topology.c; ROCr libhsakmt.
/// </remarks>
internal static class KfdTopology
{
    private const int XgmiLink = 11;
    private const int MaxNodes = 4096;

    /// <param name="sysRoot">Where sysfs is mounted: <c>/sys</c>.</param>
    /// <returns>Empty on a machine without the driver or without GPUs.</returns>
    public static IReadOnlyList<GpuDevice> Read(string sysRoot = "/sys")
    {
        string nodesPath = Path.Combine(sysRoot, "class", "kfd", "kfd", "topology", "nodes");
        List<KfdNode> gpus = [.. NumberedFolders(nodesPath).Select(KfdNode.Read).OfType<KfdNode>().Where(n => n.IsGpu)];
        Dictionary<int, string> linkHives = LinkHives(gpus);
        return [.. gpus.Select((gpu, index) => new GpuDevice
        {
            Index = index,
            Uuid = gpu["unique_id"] is var id and not 0 ? $"GPU-{id:x16}" : null,
            DeviceId = gpu["device_id"] is var device and not 0 ? device.ToString("x4", CultureInfo.InvariantCulture) : null,
            Hive = gpu["hive_id"] is var hive and not 0 ? hive.ToString(CultureInfo.InvariantCulture) : linkHives.GetValueOrDefault(gpu.Number),
            NumaNode = NumaNode(sysRoot, gpu),
            VramBytes = gpu.VramBytes > 0 ? gpu.VramBytes : null,
        })];
    }

    /// <summary>Hives by connection, for drivers that report no hive_id: GPUs that reach each other over XGMI. A link to a CPU does not count.</summary>
    private static Dictionary<int, string> LinkHives(List<KfdNode> gpus)
    {
        Dictionary<int, KfdNode> byNumber = gpus.ToDictionary(g => g.Number);
        Dictionary<int, string> hives = [];
        foreach (KfdNode first in gpus.Where(g => g.XgmiPeers.Any(byNumber.ContainsKey)))
        {
            Stack<KfdNode> open = new([first]);
            while (open.TryPop(out KfdNode? gpu))
            {
                if (hives.TryAdd(gpu.Number, $"xgmi-{first.Number}"))
                {
                    gpu.XgmiPeers.Where(byNumber.ContainsKey).ToList().ForEach(peer => open.Push(byNumber[peer]));
                }
            }
        }

        return hives;
    }

    private static int? NumaNode(string sysRoot, KfdNode gpu)
    {
        // location_id: bus in bits 15–8, device in 7–3, function in 2–0; higher bits number the partition.
        ulong location = gpu["location_id"];
        string address = string.Create(CultureInfo.InvariantCulture, $"{gpu["domain"]:x4}:{(location >> 8) & 0xff:x2}:{(location >> 3) & 0x1f:x2}.{location & 7}");
        string? text = ReadText(Path.Combine(sysRoot, "bus", "pci", "devices", address, "numa_node"));
        return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int node) && node >= 0 ? node : null;
    }

    private static IEnumerable<(int Number, string Path)> NumberedFolders(string path) =>
        !Directory.Exists(path)
            ? []
            : Directory.EnumerateDirectories(path)
                .Take(MaxNodes)
                .Select(p => (IsNumber: int.TryParse(Path.GetFileName(p), NumberStyles.None, CultureInfo.InvariantCulture, out int n), Number: n, Path: p))
                .Where(p => p.IsNumber)
                .OrderBy(p => p.Number)
                .Select(p => (p.Number, p.Path));

    /// <returns>Null for a file that is not there or that this process may not read.</returns>
    private static string? ReadText(string path)
    {
        try
        {
            return File.ReadAllText(path).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>One node of the topology: a CPU or a GPU.</summary>
    private sealed class KfdNode
    {
        private readonly Dictionary<string, ulong> properties;

        private KfdNode(int number, Dictionary<string, ulong> properties, string path)
        {
            Number = number;
            this.properties = properties;
            VramBytes = Children(path, "mem_banks").Where(b => b.GetValueOrDefault("heap_type") is 1 or 2).Sum(b => (long)b.GetValueOrDefault("size_in_bytes"));
            XgmiPeers = [.. Children(path, "io_links").Where(l => l.GetValueOrDefault("type") == XgmiLink).Select(l => (int)l.GetValueOrDefault("node_to"))];
        }

        public int Number { get; }

        public bool IsGpu => this["simd_count"] > 0;

        public long VramBytes { get; }

        public IReadOnlyList<int> XgmiPeers { get; }

        /// <summary>A property, 0 when absent.</summary>
        public ulong this[string name] => properties.GetValueOrDefault(name);

        /// <returns>Null for a node whose properties the kernel keeps from us: the container's device cgroup hides it, and ROCr does not count it either.</returns>
        public static KfdNode? Read((int Number, string Path) folder) =>
            Properties(Path.Combine(folder.Path, "properties")) is { Count: > 0 } properties ? new KfdNode(folder.Number, properties, folder.Path) : null;

        private static IEnumerable<Dictionary<string, ulong>> Children(string path, string kind) =>
            NumberedFolders(Path.Combine(path, kind)).Select(f => Properties(Path.Combine(f.Path, "properties")));

        private static Dictionary<string, ulong> Properties(string file)
        {
            Dictionary<string, ulong> properties = new(StringComparer.Ordinal);
            foreach (string line in ReadText(file)?.Split('\n') ?? [])
            {
                if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var name, var value] && ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number))
                {
                    properties[name] = number;
                }
            }

            return properties;
        }
    }
}
