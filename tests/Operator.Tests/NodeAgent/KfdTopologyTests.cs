using Cluster.Operator.Api;
using Cluster.Operator.NodeAgent;

namespace Cluster.Operator.Tests.NodeAgent;

public sealed class KfdTopologyTests : IDisposable
{
    private readonly FakeMachine _machine = new();

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void A_machine_without_the_driver_has_no_gpus() => Assert.Empty(Read());

    [Fact]
    public void Cpus_are_skipped_and_gpus_counted_in_the_order_of_their_nodes()
    {
        _machine.WithCpus();
        _machine.Node(10, ("simd_count", 1216), ("unique_id", 2));
        _machine.Node(2, ("simd_count", 1216), ("unique_id", 1));
        Assert.Equal([(0, "GPU-0000000000000001"), (1, "GPU-0000000000000002")], Read().Select(g => (g.Index, g.Uuid!)));
    }

    [Fact]
    public void Reads_everything_about_an_mi300x()
    {
        _machine.Node(
            1,
            ("simd_count", 1216),
            ("unique_id", 17282846428012413953),
            ("hive_id", 16069459104268459136),
            ("device_id", 29857),
            ("gfx_target_version", 90402),
            ("location_id", 59648),
            ("domain", 1),
            ("drm_render_minor", 128));
        _machine.MemoryBank(1, 0, heap: 1, FakeMachine.Mi300XBytes);
        _machine.MemoryBank(1, 1, heap: 0, 999);
        _machine.Pci("0001:e9:00.0", "numa_node", "1");
        _machine.Pci("0001:e9:00.0", "current_compute_partition", "SPX");
        _machine.Pci("0001:e9:00.0", "current_memory_partition", "NPS1");
        Assert.Equal(
            new GpuDevice
            {
                Index = 0,
                Uuid = "GPU-" + 17282846428012413953UL.ToString("x16", null),
                DeviceId = "74a1",
                Gfx = "gfx942",
                Hive = "16069459104268459136",
                NumaNode = 1,
                VramBytes = 206141652992,
                ComputePartition = "SPX",
                MemoryPartition = "NPS1",
            },
            Assert.Single(Read()));
    }

    [Fact]
    public void What_the_driver_does_not_tell_is_null()
    {
        _machine.Node(1, ("simd_count", 8), ("unique_id", 0), ("hive_id", 0), ("location_id", 256), ("domain", 0));
        _machine.Pci("0000:01:00.0", "numa_node", "-1");
        _machine.Pci("0000:01:00.0", "current_compute_partition", "not a mode");
        Assert.Equal(new GpuDevice { Index = 0 }, Assert.Single(Read()));
    }

    [Fact]
    public void Without_hive_ids_gpus_linked_by_xgmi_are_a_hive()
    {
        for (var i = 1; i <= 5; i++)
        {
            _machine.Node(i, ("simd_count", 8), ("location_id", (ulong)i << 8));
        }

        _machine.Node(0, ("simd_count", 0));
        _machine.Link(1, 0, type: 11, to: 2);
        _machine.Link(2, 0, type: 11, to: 1);
        _machine.Link(2, 1, type: 11, to: 3);
        _machine.Link(4, 0, type: 2, to: 1); // PCIe
        _machine.Link(5, 0, type: 11, to: 0); // to a CPU
        Assert.Equal(["xgmi-1", "xgmi-1", "xgmi-1", null, null], Read().Select(g => g.Hive));
    }

    [Fact]
    public void A_node_the_kernel_hides_does_not_count()
    {
        _machine.Node(1, ("simd_count", 8), ("unique_id", 1));
        _machine.Kfd(2, "properties", "");
        _machine.Node(3, ("simd_count", 8), ("unique_id", 3));
        _machine.Kfd(4, "name", "no properties\n");
        _machine.Node(5, ("simd_count", 8), ("unique_id", 5));
        _machine.Hide(5);
        Assert.Equal(["GPU-0000000000000001", "GPU-0000000000000003"], Read().Select(g => g.Uuid));
    }

    [Fact]
    public void Eight_whole_mi300x_are_one_hive_over_two_numa_nodes()
    {
        _machine.WithCpus().WithMi300X(8, _ => 0x1234);
        var found = KfdTopology.Inspect(_machine.Sys, _machine.Dev);
        Assert.Empty(found.Problems);
        Assert.Equal(Enumerable.Range(0, 8), found.Gpus.Select(g => g.Index));
        Assert.Equal([0, 0, 0, 0, 1, 1, 1, 1], found.Gpus.Select(g => g.NumaNode!.Value));
        Assert.Equal(8, found.Gpus.Select(g => g.Uuid).Distinct().Count());
        Assert.All(
            found.Gpus,
            g => Assert.Equal(
                ("4660", "74a1", "gfx942", FakeMachine.Mi300XBytes, "SPX", "NPS1"),
                (g.Hive, g.DeviceId, g.Gfx, g.VramBytes, g.ComputePartition, g.MemoryPartition)));
    }

    [Theory]
    [InlineData("amdgpu_xcp_")]
    [InlineData("amdgpu_xcp.")]
    public void Partitions_are_gpus_of_their_own_however_the_kernel_names_their_devices(string platformDevice)
    {
        _machine.WithCpus()
            .WithMi300X(2, _ => 7, partitions: 8, compute: "CPX", memory: "NPS4", platformDevice: n => $"{platformDevice}{n}");
        var found = KfdTopology.Inspect(_machine.Sys, _machine.Dev).Gpus;
        Assert.Equal(16, found.Count);
        Assert.Equal(Enumerable.Repeat(0, 8).Concat(Enumerable.Repeat(1, 8)), found.Select(g => g.NumaNode!.Value));
        Assert.All(
            found,
            g => Assert.Equal(
                ("CPX", "NPS4", FakeMachine.Mi300XBytes / 8, "7"), (g.ComputePartition, g.MemoryPartition, g.VramBytes, g.Hive)));
    }

    [Theory]
    [InlineData(1, null)]
    [InlineData(2, "DPX")]
    [InlineData(3, "TPX")]
    [InlineData(4, "QPX")]
    [InlineData(8, "CPX")]
    public void A_driver_that_names_no_mode_is_understood_by_how_many_share_one_function(int partitions, string? mode)
    {
        _machine.WithMi300X(1, _ => 7, partitions, compute: null, memory: null, platformDevice: n => $"amdgpu_xcp_{n}");
        Assert.All(
            KfdTopology.Inspect(_machine.Sys, _machine.Dev).Gpus, g => Assert.Equal((mode, null), (g.ComputePartition, g.MemoryPartition)));
    }

    [Fact]
    public void Partitions_that_share_a_uuid_are_published_as_the_driver_tells_them()
    {
        _machine.WithMi300X(1, _ => 7, partitions: 4, compute: "QPX", platformDevice: n => $"amdgpu_xcp_{n}", sharedUuid: true);
        Assert.Single(Read().Select(g => g.Uuid).Distinct());
    }

    [Fact]
    public void Two_hives_are_told_apart()
    {
        _machine.WithMi300X(8, gpu => gpu < 4 ? 11UL : 22UL);
        Assert.Equal(["11", "11", "11", "11", "22", "22", "22", "22"], Read().Select(g => g.Hive));
    }

    [Theory]
    [InlineData(90010, "gfx90a")]
    [InlineData(90402, "gfx942")]
    [InlineData(90500, "gfx950")]
    [InlineData(110000, "gfx1100")]
    [InlineData(120001, "gfx1201")]
    public void The_instruction_set_has_llvms_name(int version, string gfx)
    {
        _machine.Node(1, ("simd_count", 8), ("gfx_target_version", (ulong)version));
        Assert.Equal(gfx, Assert.Single(Read()).Gfx);
    }

    [Fact]
    public void A_gpu_without_a_render_node_does_not_count_as_for_rocr()
    {
        _machine.WithMi300X(3, _ => 7);
        _machine.RemoveRenderNode(129);
        var found = KfdTopology.Inspect(_machine.Sys, _machine.Dev);
        Assert.Empty(found.Problems);
        Assert.Equal([(0, "GPU-a000000000000000"), (1, "GPU-a000000000000200")], found.Gpus.Select(g => (g.Index, g.Uuid!)));
    }

    [Fact]
    public void A_gpu_that_cannot_be_opened_is_a_problem()
    {
        _machine.WithMi300X(3, _ => 7);
        _machine.Lock(129);
        _machine.Hide(4);
        var found = KfdTopology.Inspect(_machine.Sys, _machine.Dev);
        Assert.Single(found.Gpus);
        Assert.Collection(
            found.Problems,
            first => Assert.Matches("KFD node 3: .*renderD129", first),
            second => Assert.Matches("KFD node 4: .*properties", second));
    }

    [Fact]
    public void Only_so_much_of_a_file_is_read()
    {
        _machine.Node(1, ("simd_count", 8));
        _machine.Kfd(2, "properties", $"simd_count 8\n{new string('x', 1 << 20)}\nunique_id 5\n");
        Assert.Equal([null, null], Read().Select(g => g.Uuid));
    }

    private IReadOnlyList<GpuDevice> Read() => KfdTopology.Read(_machine.Sys);
}
