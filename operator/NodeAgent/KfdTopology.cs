using System.Globalization;
using Cluster.Operator.Api;

namespace Cluster.Operator.NodeAgent;

/// <summary>Reads this machine's AMD GPUs from the kernel's KFD topology, in the order ROCr enumerates them. Called by local
/// mode and by the node agent, which publishes the result as the node's GPU annotation.</summary>
/// <remarks>
/// <code>
/// SYS/class/kfd/kfd/topology/nodes/N/properties           simd_count > 0: a GPU; unique_id, hive_id, device_id, location_id, domain, …
/// SYS/class/kfd/kfd/topology/nodes/N/mem_banks/M/properties   heap_type 1, 2: its VRAM
/// SYS/class/kfd/kfd/topology/nodes/N/io_links/L/properties    type 11: XGMI
/// SYS/bus/pci/devices/DDDD:BB:DD.F/                       numa_node, current_compute_partition, current_memory_partition
/// DEV/dri/renderDM                                        M is drm_render_minor; a partition's is that of its amdgpu_xcp platform device
/// </code>
/// Partitions are found by what KFD says of them alone, so that it does not matter how the kernel names their platform devices
/// (<c>amdgpu_xcp_N</c>, <c>amdgpu_xcp.N</c>). Source: Linux drivers/gpu/drm/amd/amdkfd/kfd_topology.c; ROCr libhsakmt topology.c.
/// </remarks>
internal static class KfdTopology
{
    /// <param name="sysRoot">Where sysfs is mounted: <c>/sys</c>.</param>
    /// <returns>The GPUs that this process may use; empty on a machine without the driver or without GPUs.</returns>
    public static IReadOnlyList<GpuDevice> Read(string sysRoot = "/sys") => Inspect(sysRoot, devRoot: null).Gpus;

    /// <param name="devRoot">Where devices are: <c>/dev</c>. As for ROCr, a GPU whose render node is missing does not count, and one that
    /// cannot be opened is a problem. Null does not look at devices.</param>
    public static GpuInventory Inspect(string sysRoot, string? devRoot)
    {
        List<KfdNode> gpus = [];
        List<string> problems = [];
        foreach ((var number, var path) in KfdNode.NumberedFolders(Path.Combine(sysRoot, "class", "kfd", "kfd", "topology", "nodes")))
        {
            try
            {
                if (KfdNode.Read(number, path) is { IsGpu: true } gpu && (devRoot is null || HasRenderNode(gpu, devRoot)))
                {
                    gpus.Add(gpu);
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                problems.Add($"GPU of KFD node {number}: {e.Message}");
            }
        }

        return new GpuInventory(Describe(gpus, sysRoot), problems, [.. gpus.Select(gpu => (int)gpu["drm_render_minor"])]);
    }

    private static List<GpuDevice> Describe(List<KfdNode> gpus, string sysRoot)
    {
        var linkHives = LinkHives(gpus);
        var sharers = gpus.CountBy(g => g.PciAddress).ToDictionary(StringComparer.Ordinal);
        return [.. gpus.Select((gpu, index) => new GpuDevice
        {
            Index = index,
            Uuid = gpu["unique_id"] is var id and not 0 ? $"GPU-{id:x16}" : null,
            DeviceId = gpu["device_id"] is var device and not 0 ? device.ToString("x4", CultureInfo.InvariantCulture) : null,
            Gfx = gpu.Gfx,
            Hive = gpu["hive_id"] is var hive and not 0
                ? hive.ToString(CultureInfo.InvariantCulture)
                : linkHives.GetValueOrDefault(gpu.Number),
            NumaNode = NumaNode(sysRoot, gpu),
            VramBytes = gpu.VramBytes > 0 ? gpu.VramBytes : null,
            ComputePartition = Partition(sysRoot, gpu, "compute") ?? ModeOf(sharers[gpu.PciAddress]),
            MemoryPartition = Partition(sysRoot, gpu, "memory"),
        })];
    }

    /// <summary>Hives by connection, for drivers that report no hive_id: GPUs that reach each other over XGMI. A link to a CPU does not
    /// count.</summary>
    private static Dictionary<int, string> LinkHives(List<KfdNode> gpus)
    {
        var byNumber = gpus.ToDictionary(g => g.Number);
        Dictionary<int, string> hives = [];
        foreach (var first in gpus.Where(g => g.XgmiPeers.Any(byNumber.ContainsKey)))
        {
            Stack<KfdNode> open = new([first]);
            while (open.TryPop(out var gpu))
            {
                if (hives.TryAdd(gpu.Number, $"xgmi-{first.Number}"))
                {
                    gpu.XgmiPeers.Where(byNumber.ContainsKey).ToList().ForEach(peer => open.Push(byNumber[peer]));
                }
            }
        }

        return hives;
    }

    private static int? NumaNode(string sysRoot, KfdNode gpu) =>
        int.TryParse(PciFile(sysRoot, gpu, "numa_node"), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var node)
            && node >= 0 ? node : null;

    private static string? Partition(string sysRoot, KfdNode gpu, string kind) =>
        PciFile(sysRoot, gpu, $"current_{kind}_partition") is { Length: > 0 and <= 8 } mode && mode.All(char.IsAsciiLetterOrDigit)
            ? mode
            : null;

    private static string? PciFile(string sysRoot, KfdNode gpu, string file) =>
        SysfsFile.ReadIfAllowed(Path.Combine(sysRoot, "bus", "pci", "devices", gpu.PciAddress, file));

    /// <summary>Older drivers do not name the mode; how many partitions a GPU has says as much. One is not "SPX" then: most GPUs cannot be
    /// partitioned at all.</summary>
    private static string? ModeOf(int partitions) => partitions switch
    {
        1 => null,
        2 => "DPX",
        3 => "TPX",
        4 => "QPX",
        _ => "CPX",
    };

    /// <exception cref="UnauthorizedAccessException">It is there and cannot be opened: ROCr would fail, or count fewer GPUs than others
    /// do.</exception>
    private static bool HasRenderNode(KfdNode gpu, string devRoot)
    {
        if (gpu["drm_render_minor"] is 0)
        {
            return true; // Not told: nothing to check.
        }

        try
        {
            File.OpenHandle(
                Path.Combine(devRoot, "dri", string.Create(CultureInfo.InvariantCulture, $"renderD{gpu["drm_render_minor"]}")),
                FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite).Dispose();
            return true;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return false;
        }
    }
}
