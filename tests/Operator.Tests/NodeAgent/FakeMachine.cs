using System.Globalization;

namespace Cluster.Operator.Tests.NodeAgent;

/// <summary>The files by which a machine's kernel tells of its GPUs, in a temporary folder: <c>/sys</c>, <c>/dev</c> and
/// <c>/proc</c>.</summary>
internal sealed class FakeMachine : IDisposable
{
    public const long Mi300XBytes = 206141652992;
    private const int FirstRenderMinor = 128;

    private readonly TemporaryFolder _folder = new();
    private int _gpus;

    public string Sys => Path.Combine(_folder.Path, "sys");

    public string Dev => Path.Combine(_folder.Path, "dev");

    public string Proc => Path.Combine(_folder.Path, "proc");

    /// <summary>The switch; null while the kernel has none.</summary>
    public string? NumaBalancing
    {
        get => File.Exists(NumaBalancingFile) ? File.ReadAllText(NumaBalancingFile).Trim() : null;
        set => _folder.Write("proc/sys/kernel/numa_balancing", value + "\n");
    }

    private string NumaBalancingFile => Path.Combine(Proc, "sys/kernel/numa_balancing");

    public void Dispose() => _folder.Dispose();

    /// <summary>Two CPU sockets: KFD nodes 0 and 1.</summary>
    public FakeMachine WithCpus()
    {
        Node(0, ("cpu_cores_count", 96));
        Node(1, ("cpu_cores_count", 96));
        return this;
    }

    /// <summary>MI300X GPUs over two sockets, each one whole or in partitions that KFD counts as nodes of their own.</summary>
    /// <param name="hiveOf">The hive_id of the GPU with this number.</param>
    /// <param name="platformDevice">How the kernel names the n-th partition device that is not the PCI function itself.</param>
    public FakeMachine WithMi300X(
        int count, Func<int, ulong> hiveOf, int partitions = 1, string? compute = "SPX", string? memory = "NPS1",
        Func<int, string>? platformDevice = null, bool sharedUuid = false)
    {
        var platformDevices = 0;
        for (var gpu = 0; gpu < count; gpu++)
        {
            var bus = 0x0c + (gpu * 0x10);
            var address = string.Create(CultureInfo.InvariantCulture, $"0000:{bus:x2}:00.0");
            Pci(address, "numa_node", gpu < (count + 1) / 2 ? "0" : "1");
            Pci(address, "current_compute_partition", compute);
            Pci(address, "current_memory_partition", memory);
            for (var partition = 0; partition < partitions; partition++)
            {
                var minor = FirstRenderMinor + _gpus;
                var number = 2 + _gpus++;
                Node(
                    number,
                    ("simd_count", 1216 / (uint)partitions),
                    ("unique_id", 0xa0000000_00000000 + ((ulong)gpu << 8) + (sharedUuid ? 0 : (ulong)partition)),
                    ("hive_id", hiveOf(gpu)),
                    ("device_id", 0x74a1),
                    ("gfx_target_version", 90402),
                    ("location_id", ((ulong)partition << 28) | ((ulong)bus << 8)),
                    ("domain", 0),
                    ("drm_render_minor", (ulong)minor));
                MemoryBank(number, 0, heap: 1, Mi300XBytes / partitions);
                RenderNode(minor);
                var device = partition == 0 ? $"devices/pci0000:00/{address}" : $"devices/platform/{platformDevice!(platformDevices++)}";
                _folder.Write($"sys/{device}/drm/renderD{minor}/dev", $"226:{minor}\n");
            }
        }

        return this;
    }

    public void Node(int number, params (string Name, ulong Value)[] properties) =>
        Kfd(number, "properties",
            string.Concat(properties.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Name} {p.Value}\n"))));

    public void Link(int node, int link, int type, int to) =>
        Kfd(node, $"io_links/{link}/properties", $"type {type}\nnode_from {node}\nnode_to {to}\n");

    public void MemoryBank(int node, int bank, int heap, long bytes) =>
        Kfd(node, $"mem_banks/{bank}/properties",
            string.Create(CultureInfo.InvariantCulture, $"heap_type {heap}\nsize_in_bytes {bytes}\nwidth 8192\n"));

    public void Pci(string address, string file, string? value)
    {
        if (value is not null)
        {
            _folder.Write($"sys/bus/pci/devices/{address}/{file}", value + "\n");
        }
    }

    public void RenderNode(int minor) => _folder.Write($"dev/dri/renderD{minor}", "");

    /// <summary>The node's properties cannot be read, by whatever right this test runs with: what a device cgroup does, even to
    /// root.</summary>
    public void Hide(int node) => Block($"sys/class/kfd/kfd/topology/nodes/{node}/properties");

    /// <summary>The render node is there but cannot be opened.</summary>
    public void Lock(int renderMinor) => Block($"dev/dri/renderD{renderMinor}");

    public void RemoveRenderNode(int minor) => File.Delete(Path.Combine(Dev, $"dri/renderD{minor}"));

    /// <summary>The switch cannot be read or written.</summary>
    public void LockNumaBalancing() => Block("proc/sys/kernel/numa_balancing");

    public void RemoveDriver() => Directory.Delete(Path.Combine(Sys, "class/kfd"), recursive: true);

    public void Kfd(int node, string file, string text) => _folder.Write($"sys/class/kfd/kfd/topology/nodes/{node}/{file}", text);

    // Permissions do not stop root; a folder in place of a file stops everybody.
    private void Block(string path)
    {
        var full = Path.Combine(_folder.Path, path);
        File.Delete(full);
        Directory.CreateDirectory(full);
    }
}
