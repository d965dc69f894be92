using Cluster.Operator.NodeAgent.Plugin.Protocol;
using Grpc.Core;

namespace Cluster.Operator.NodeAgent.Plugin;

/// <summary>What the kubelet asks of a resource's plugin. Served by <see cref="PluginServer"/>, whose connections know by their socket
/// which <see cref="GpuPlugin"/> they are about.</summary>
/// <remarks>Of a pod with several GPUs, the kubelet merges what their plugins hand out, and keeps one value of a variable that two of them
/// set. <c>ROCR_VISIBLE_DEVICES</c> is therefore the operator's, in the pod's own environment, and not set here.</remarks>
internal sealed class GpuPluginService(IHostApplicationLifetime lifetime) : DevicePlugin.DevicePluginBase
{
    private const string Healthy = "Healthy";
    private const string Unhealthy = "Unhealthy";
    private const string Kfd = "/dev/kfd";

    /// <summary>A container reads and writes its GPU, and makes no device nodes.</summary>
    private const string ReadWrite = "rw";

    /// <summary>Neither a call before each container nor a preference: there is one device to choose from.</summary>
    public override Task<DevicePluginOptions> GetDevicePluginOptions(Empty request, ServerCallContext context) =>
        Task.FromResult(new DevicePluginOptions());

    /// <summary>Until the kubelet hangs up, or the plugin ends.</summary>
    public override async Task ListAndWatch(
        Empty request, IServerStreamWriter<ListAndWatchResponse> responseStream, ServerCallContext context)
    {
        var plugin = PluginOf(context);
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        await foreach (var healthy in plugin.WatchAsync(ends.Token))
        {
            Device device = new() { ID = plugin.Gpu.Id, Health = healthy ? Healthy : Unhealthy };
            if (plugin.Gpu.NumaNode is { } numaNode)
            {
                device.Topology = new TopologyInfo { Nodes = { new NUMANode { ID = numaNode } } };
            }

            await responseStream.WriteAsync(new ListAndWatchResponse { Devices = { device } }, ends.Token);
        }
    }

    public override Task<AllocateResponse> Allocate(AllocateRequest request, ServerCallContext context)
    {
        var plugin = PluginOf(context);
        AllocateResponse response = new();
        foreach (var container in request.ContainerRequests)
        {
            if (container.DevicesIds.FirstOrDefault(id => id != plugin.Gpu.Id) is { } unknown)
            {
                throw new RpcException(
                    new Status(StatusCode.InvalidArgument, $"{plugin.Gpu.Resource} has no device '{unknown}'; it has '{plugin.Gpu.Id}'"));
            }

            if (!plugin.Healthy)
            {
                throw new RpcException(new Status(StatusCode.FailedPrecondition, $"GPU {plugin.Gpu.Id} is not there any more"));
            }

            response.ContainerResponses.Add(Grant(plugin.Gpu));
        }

        return Task.FromResult(response);
    }

    /// <summary>The device nodes also where CDI is offered: kubelets before 1.29 do not pass the name on, and a runtime that knows both
    /// sets each device once. <c>/dev/kfd</c> is the same for all GPUs of a pod, and the kubelet adds it once.</summary>
    private static ContainerAllocateResponse Grant(OfferedGpu gpu)
    {
        ContainerAllocateResponse grant = new()
        {
            Devices = { Open(Kfd), Open(gpu.RenderNode) },
            Envs = { [$"CLUSTER_GPU_{gpu.Id.Replace('-', '_').ToUpperInvariant()}"] = gpu.RenderNode },
        };
        if (gpu.CdiName is { } name)
        {
            grant.CdiDevices.Add(new CDIDevice { Name = name });
        }

        return grant;
    }

    private static DeviceSpec Open(string path) => new() { ContainerPath = path, HostPath = path, Permissions = ReadWrite };

    private static GpuPlugin PluginOf(ServerCallContext context) =>
        context.GetHttpContext().Features.Get<GpuPlugin>()
        ?? throw new InvalidOperationException("the connection came by no GPU's socket");
}
