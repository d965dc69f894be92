using Cluster.Operator.Api;
using Cluster.Operator.NodeAgent;
using Xunit;

namespace Cluster.Operator.Tests.NodeAgent;

public sealed class KfdTopologyTests : IDisposable
{
    private readonly string root = Directory.CreateTempSubdirectory("kfd-").FullName;

    public void Dispose() => Directory.Delete(root, recursive: true);

    [Fact]
    public void A_machine_without_the_driver_has_no_gpus() => Assert.Empty(KfdTopology.Read(root));

    [Fact]
    public void Cpus_are_skipped_and_gpus_counted_in_the_order_of_their_nodes()
    {
        Node(0, ("cpu_cores_count", "96"), ("simd_count", "0"));
        Node(10, ("simd_count", "1216"), ("unique_id", "2"));
        Node(2, ("simd_count", "1216"), ("unique_id", "1"));
        Assert.Equal([(0, "GPU-0000000000000001"), (1, "GPU-0000000000000002")], KfdTopology.Read(root).Select(g => (g.Index, g.Uuid!)));
    }

    [Fact]
    public void Reads_everything_about_an_mi300x()
    {
        Node(
            1,
            ("simd_count", "1216"),
            ("unique_id", "17282846428012413953"),
            ("hive_id", "16069459104268459136"),
            ("device_id", "29857"),
            ("location_id", "59648"),
            ("domain", "1"),
            ("drm_render_minor", "128"));
        File("class/kfd/kfd/topology/nodes/1/mem_banks/0/properties", "heap_type 1\nsize_in_bytes 206141652992\nwidth 8192\n");
        File("class/kfd/kfd/topology/nodes/1/mem_banks/1/properties", "heap_type 0\nsize_in_bytes 999\n");
        File("bus/pci/devices/0001:e9:00.0/numa_node", "1\n");
        Assert.Equal(
            new GpuDevice
            {
                Index = 0,
                Uuid = "GPU-" + 17282846428012413953UL.ToString("x16", null),
                DeviceId = "74a1",
                Hive = "16069459104268459136",
                NumaNode = 1,
                VramBytes = 206141652992,
            },
            Assert.Single(KfdTopology.Read(root)));
    }

    [Fact]
    public void What_the_driver_does_not_tell_is_null()
    {
        Node(1, ("simd_count", "8"), ("unique_id", "0"), ("hive_id", "0"), ("location_id", "256"), ("domain", "0"));
        File("bus/pci/devices/0000:01:00.0/numa_node", "-1\n");
        Assert.Equal(new GpuDevice { Index = 0 }, Assert.Single(KfdTopology.Read(root)));
    }

    [Fact]
    public void Without_hive_ids_gpus_linked_by_xgmi_are_a_hive()
    {
        for (int i = 1; i <= 5; i++)
        {
            Node(i, ("simd_count", "8"));
        }

        Node(0, ("simd_count", "0"));
        Link(1, 0, type: 11, to: 2);
        Link(2, 0, type: 11, to: 1);
        Link(2, 1, type: 11, to: 3);
        Link(4, 0, type: 2, to: 1); // PCIe
        Link(5, 0, type: 11, to: 0); // to a CPU
        Assert.Equal(["xgmi-1", "xgmi-1", "xgmi-1", null, null], KfdTopology.Read(root).Select(g => g.Hive));
    }

    [Fact]
    public void A_node_the_kernel_hides_does_not_count()
    {
        Node(1, ("simd_count", "8"), ("unique_id", "1"));
        File("class/kfd/kfd/topology/nodes/2/properties", "");
        Node(3, ("simd_count", "8"), ("unique_id", "3"));
        Directory.CreateDirectory(Path.Combine(root, "class/kfd/kfd/topology/nodes/4"));
        Assert.Equal(["GPU-0000000000000001", "GPU-0000000000000003"], KfdTopology.Read(root).Select(g => g.Uuid));
    }

    private void Node(int number, params (string Name, string Value)[] properties) =>
        File($"class/kfd/kfd/topology/nodes/{number}/properties", string.Concat(properties.Select(p => $"{p.Name} {p.Value}\n")));

    private void Link(int node, int link, int type, int to) =>
        File($"class/kfd/kfd/topology/nodes/{node}/io_links/{link}/properties", $"type {type}\nnode_from {node}\nnode_to {to}\n");

    private void File(string path, string text)
    {
        string full = Path.Combine(root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        System.IO.File.WriteAllText(full, text);
    }
}
