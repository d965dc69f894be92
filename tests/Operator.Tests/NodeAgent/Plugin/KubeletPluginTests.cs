using System.Text.Json.Nodes;
using Cluster.Operator.NodeAgent;
using Cluster.Operator.NodeAgent.Plugin;
using Cluster.Operator.NodeAgent.Plugin.Protocol;
using Cluster.Operator.Tests.Controller;
using Grpc.Core;
using k8s.Models;

namespace Cluster.Operator.Tests.NodeAgent.Plugin;

/// <summary>The device plugin against a kubelet's <see cref="DeviceManager"/>, on the real protocol.</summary>
public sealed class KubeletPluginTests : IAsyncLifetime
{
    private const string First = "serving.cluster.sh/gpu-a000000000000000";
    private const string Second = "serving.cluster.sh/gpu-a000000000000100";

    private readonly TemporaryFolder _home = new();
    private readonly FakeMachine _machine = new FakeMachine().WithMi300X(2, _ => 5);
    private CancellationTokenSource _stop = new();
    private KubeletPlugin _plugin = null!;
    private Task _running = Task.CompletedTask;

    private string Folder => Path.Combine(_home.Path, "device-plugins");

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _machine.Dispose();
        _home.Dispose();
    }

    [Fact]
    public async Task Every_gpu_is_registered_as_a_resource_of_its_own_and_watched()
    {
        await using var kubelet = await DeviceManager.StartAsync(Folder);
        Start();
        await UntilAllocatableAsync(kubelet, First, Second);
        await Eventually.True(() => _plugin.Status == "Registered", "it says so");
        Assert.Null(_plugin.Problem);
        Assert.Equal(("a000000000000100", 1L), (kubelet.Devices[Second].ID, kubelet.Devices[Second].Topology.Nodes.Single().ID));
        Assert.Equal(2, kubelet.Attempts);
    }

    [Fact]
    public async Task A_pod_gets_kfd_its_render_nodes_and_variables_that_do_not_clash()
    {
        await using var kubelet = await DeviceManager.StartAsync(Folder);
        Start();
        await UntilAllocatableAsync(kubelet, First, Second);
        var first = await AllocateAsync(kubelet, First, "a000000000000000");
        var second = await AllocateAsync(kubelet, Second, "a000000000000100");
        Assert.Equal(
            ["/dev/kfd /dev/kfd rw", "/dev/dri/renderD128 /dev/dri/renderD128 rw"],
            first.Devices.Select(d => $"{d.HostPath} {d.ContainerPath} {d.Permissions}"));
        Assert.Equal(["/dev/kfd", "/dev/dri/renderD129"], second.Devices.Select(d => d.HostPath));
        Assert.Equal("/dev/dri/renderD128", first.Envs["CLUSTER_GPU_A000000000000000"]);
        Assert.Empty(first.Envs.Keys.Intersect(second.Envs.Keys));
        Assert.Empty(first.CdiDevices);
        Assert.Empty(first.Mounts);
    }

    [Fact]
    public async Task A_device_that_is_another_resources_is_refused()
    {
        await using var kubelet = await DeviceManager.StartAsync(Folder);
        Start();
        await UntilAllocatableAsync(kubelet, First, Second);
        var refused = await Assert.ThrowsAsync<RpcException>(() => AllocateAsync(kubelet, First, "a000000000000100"));
        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        Assert.Contains("it has 'a000000000000000'", refused.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_gpu_that_kfd_lost_is_unhealthy_and_well_again_when_it_is_back()
    {
        await using var kubelet = await DeviceManager.StartAsync(Folder);
        Start();
        await UntilAllocatableAsync(kubelet, First, Second);
        _machine.RemoveRenderNode(129);
        Offer();
        await UntilAllocatableAsync(kubelet, First);
        Assert.Equal("Unhealthy", kubelet.Devices[Second].Health);
        Assert.Equal(
            StatusCode.FailedPrecondition,
            (await Assert.ThrowsAsync<RpcException>(() => AllocateAsync(kubelet, Second, "a000000000000100"))).StatusCode);

        _machine.RenderNode(129);
        Offer();
        await UntilAllocatableAsync(kubelet, First, Second);
        Assert.Equal(2, kubelet.Attempts);
    }

    [Fact]
    public async Task While_a_gpu_cannot_be_opened_it_is_unhealthy_and_no_other_takes_its_name()
    {
        await using var kubelet = await DeviceManager.StartAsync(Folder);
        Start();
        await UntilAllocatableAsync(kubelet, First, Second);
        _machine.Lock(128);
        Offer();
        await UntilAllocatableAsync(kubelet, Second);
        Assert.Equal([First, Second], kubelet.Devices.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Gpus_that_are_partitioned_are_offered_in_place_of_the_whole_ones()
    {
        await using var kubelet = await DeviceManager.StartAsync(Folder);
        Start();
        await UntilAllocatableAsync(kubelet, First, Second);
        using FakeMachine partitioned = new();
        partitioned.WithMi300X(1, _ => 5, partitions: 2, platformDevice: n => $"amdgpu_xcp_{n}", sharedUuid: true);
        _plugin.Offer(KfdTopology.Inspect(partitioned.Sys, partitioned.Dev));
        await UntilAllocatableAsync(kubelet, "serving.cluster.sh/gpu-index-0", "serving.cluster.sh/gpu-index-1");
    }

    [Fact]
    public async Task A_kubelet_that_is_restarted_has_the_gpus_again()
    {
        var kubelet = await DeviceManager.StartAsync(Folder);
        Start();
        await UntilAllocatableAsync(kubelet, First, Second);
        await kubelet.DisposeAsync();
        await Eventually.True(() => _plugin.Status.Contains("kubelet.sock", StringComparison.Ordinal), "it is missed");

        await using var next = await DeviceManager.StartAsync(Folder);
        await UntilAllocatableAsync(next, First, Second);
        await Eventually.True(() => _plugin.Status == "Registered", "it says so");
    }

    [Fact]
    public async Task An_agent_that_is_restarted_registers_again_over_the_sockets_that_another_left()
    {
        await using var kubelet = await DeviceManager.StartAsync(Folder);
        Start();
        await UntilAllocatableAsync(kubelet, First, Second);
        await StopAsync();
        await UntilAllocatableAsync(kubelet);
        await File.WriteAllTextAsync(Path.Combine(Folder, "cluster-gpu-a000000000000000.sock"), "");
        Start();
        await UntilAllocatableAsync(kubelet, First, Second);
        Assert.Equal(4, kubelet.Attempts);
    }

    [Fact]
    public async Task A_kubelet_that_refuses_is_said_and_asked_again_ever_less_often()
    {
        await using var kubelet = await DeviceManager.StartAsync(Folder, "the resource is taken");
        var started = TimeProvider.System.GetTimestamp();
        Start(interval: TimeSpan.FromMilliseconds(10));
        await Eventually.True(() => kubelet.Attempts >= 5, "it is asked again");

        // 10, 20, 40 and 80 ms between them.
        Assert.True(TimeProvider.System.GetElapsedTime(started) >= TimeSpan.FromMilliseconds(140));
        Assert.Equal(("the kubelet refuses: the resource is taken", "device plugin: the kubelet refuses: the resource is taken"),
            (_plugin.Status, _plugin.Problem));
        kubelet.Refusal = null;
        await UntilAllocatableAsync(kubelet, First, Second);
        await Eventually.True(() => _plugin.Problem is null, "all is well");
    }

    [Fact]
    public async Task Without_a_kubelet_it_says_so_and_registers_when_there_is_one()
    {
        Directory.CreateDirectory(Folder);
        Start();
        await Eventually.True(() => _plugin.Status.StartsWith("there is no ", StringComparison.Ordinal), "it is missed");
        await using var kubelet = await DeviceManager.StartAsync(Folder);
        await UntilAllocatableAsync(kubelet, First, Second);
    }

    [Fact]
    public async Task A_folder_that_is_not_there_is_said()
    {
        Start();
        await Eventually.True(() => _plugin.Problem is not null && _plugin.Status != "not registered yet", "it is missed");
    }

    [Fact]
    public async Task Names_of_a_cdi_specification_are_handed_out_beside_the_devices()
    {
        var cdi = Path.GetDirectoryName(_home.Write("cdi/amd.json", """
            {"cdiVersion": "0.6.0", "kind": "amd.com/gpu", "devices": [
              {"name": "0", "containerEdits": {"deviceNodes": [{"path": "/dev/dri/card0"}, {"path": "/dev/dri/renderD128"}]}},
              {"name": "all", "containerEdits": {"deviceNodes": [{"path": "/dev/dri/renderD128"}, {"path": "/dev/dri/renderD129"}]}}]}
            """))!;
        _home.Write("cdi/broken.yaml", "kind: [");
        await using var kubelet = await DeviceManager.StartAsync(Folder);
        Start(cdi: cdi);
        await UntilAllocatableAsync(kubelet, First, Second);
        Assert.Equal(["amd.com/gpu=0"], (await AllocateAsync(kubelet, First, "a000000000000000")).CdiDevices.Select(d => d.Name));
        Assert.Empty((await AllocateAsync(kubelet, Second, "a000000000000100")).CdiDevices);
        Assert.Contains("broken.yaml", Assert.Single(Offer()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_agent_tells_on_its_node_and_in_its_health_how_the_plugin_is_doing()
    {
        await using var kubelet = await DeviceManager.StartAsync(Folder, "not now");
        FakeKubernetesClient server = new();
        await server.CreateAsync<V1Node>(new JsonObject { ["metadata"] = new JsonObject { ["name"] = "n1" } }, CancellationToken.None);
        NodeAgentLoop agent = new(server, new NodeAgentOptions
        {
            NodeName = "n1",
            SysRoot = _machine.Sys,
            DevRoot = _machine.Dev,
            ProcRoot = _machine.Proc,
            Interval = TimeSpan.FromHours(1),
            Plugin = new KubeletPluginOptions { Folder = Folder, Interval = TimeSpan.FromMilliseconds(10) },
        });
        var running = agent.RunAsync(_stop.Token);
        await Eventually.True(() => Annotation() == "the kubelet refuses: not now", "the refusal is on the Node");
        await Eventually.True(() => agent.Health.Problems.Contains("device plugin: the kubelet refuses: not now"), "and in the health");
        kubelet.Refusal = null;
        await Eventually.True(() => Annotation() == "Registered" && agent.Health.Problems.Count == 0, "all is well");
        await UntilAllocatableAsync(kubelet, First, Second);
        await _stop.CancelAsync();
        await running;

        string? Annotation() => server.All<V1Node>()[0].GetAnnotation(NodeAnnotations.DevicePlugin);
    }

    private static async Task<ContainerAllocateResponse> AllocateAsync(DeviceManager kubelet, string resource, string device) =>
        (await kubelet.Plugin(resource).AllocateAsync(
            new AllocateRequest { ContainerRequests = { new ContainerAllocateRequest { DevicesIds = { device } } } }))
        .ContainerResponses.Single();

    private static Task UntilAllocatableAsync(DeviceManager kubelet, params string[] resources) =>
        Eventually.True(() => kubelet.Allocatable.SequenceEqual(resources), $"the node has {string.Join(" and ", resources)}");

    private List<string> Offer() => _plugin.Offer(KfdTopology.Inspect(_machine.Sys, _machine.Dev));

    private void Start(string? cdi = null, TimeSpan? interval = null)
    {
        _stop = new CancellationTokenSource();
        _plugin = new KubeletPlugin(new KubeletPluginOptions
        {
            Folder = Folder,
            CdiFolders = cdi is null ? [] : [cdi],
            Interval = interval ?? TimeSpan.FromMilliseconds(20),
        });
        Offer();
        _running = _plugin.RunAsync(_stop.Token);
    }

    private async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }
}
