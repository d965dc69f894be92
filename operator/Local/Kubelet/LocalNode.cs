using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.NodeAgent;
using k8s.Models;

namespace Cluster.Operator.Local.Kubelet;

/// <summary>This machine as a Kubernetes node: registers itself with its GPUs and runs the pods bound to it as processes. The kubelet of
/// local mode. Called by <see cref="LocalCluster"/>; calls a <see cref="PodRunner"/> for each pod.</summary>
internal sealed class LocalNode : IAsyncDisposable
{
    private const string NumaBalancingFile = "/proc/sys/kernel/numa_balancing";

    private readonly string _name;
    private readonly NodeServices _services;
    private readonly Informer<V1Pod> _informer;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<string, PodRunner> _workers = new(StringComparer.Ordinal);
    private Task _running = Task.CompletedTask;
    private bool _stopping;

    public LocalNode(string name, NodeServices services)
    {
        _name = name;
        _services = services;
        _informer = new Informer<V1Pod>(
            services.Client, null, new Selection(FieldSelector: $"spec.nodeName={name}"), services.Time, Random.Shared, services.Logger);
        _informer.OnChange(Follow);
    }

    /// <summary>Creates the Node object and begins to run pods.</summary>
    public async Task StartAsync(IReadOnlyList<GpuDevice> gpus, CancellationToken cancellationToken)
    {
        await _services.Client.CreateAsync<V1Node>(Manifest(gpus), cancellationToken);
        await _services.Client.PatchAsync<V1Node>(
            null, _name, PatchType.Merge, new JsonObject { ["status"] = Status(gpus) }, "status", cancellationToken);
        _running = _informer.RunAsync(_stop.Token);
    }

    /// <summary>A container's runner, for its logs.</summary>
    /// <param name="container">Empty for the pod's first.</param>
    public ContainerRunner? FindContainer(string @namespace, string pod, string? container) =>
        FindPod(@namespace, pod)?.Container(container);

    /// <summary>A pod that runs here.</summary>
    public PodRunner? FindPod(string @namespace, string pod)
    {
        var known = _informer.Store.Get(new NamespacedName(@namespace, pod));
        return known?.Metadata.Uid is { } uid && _workers.TryGetValue(uid, out var worker) ? worker : null;
    }

    /// <summary>Stops every pod, each within its grace period, and waits until all processes have ended.</summary>
    public async ValueTask DisposeAsync()
    {
        _stopping = true;
        await Task.WhenAll(_workers.Values.Select(worker => worker.DisposeAsync().AsTask()));
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    private void Follow(ObjectChange<V1Pod> change)
    {
        var uid = change.Object.Metadata.Uid ?? "";
        if (change.Type == ChangeType.Deleted)
        {
            // Removed without a grace period (or force-deleted): the processes go at once.
            if (_workers.TryGetValue(uid, out var orphan))
            {
                orphan.Terminate(TimeSpan.Zero);
                _ = ForgetAsync(uid, orphan);
            }

            return;
        }

        if (change.Object.Metadata.DeletionTimestamp is not null)
        {
            if (_workers.TryGetValue(uid, out var leaving))
            {
                leaving.Terminate(GracePeriod(change.Object));
            }
            else
            {
                _ = RemoveUnknownAsync(change.Object);
            }

            return;
        }

        var phase = change.Object.Status?.Phase;
        if (!_stopping && phase is not ("Succeeded" or "Failed"))
        {
            _workers.GetOrAdd(uid, _ => new PodRunner(_services, KubernetesJson.ToJsonObject(change.Object)));
        }
    }

    /// <summary>It counts as running here until its processes have ended: its folder is there as long.</summary>
    private async Task ForgetAsync(string uid, PodRunner orphan)
    {
        await orphan.DisposeAsync();
        _workers.TryRemove(uid, out _);
    }

    /// <summary>Marked for deletion before it ever ran here.</summary>
    private async Task RemoveUnknownAsync(V1Pod pod)
    {
        try
        {
            await _services.Client.DeleteAsync<V1Pod>(
                pod.Metadata.NamespaceProperty, pod.Metadata.Name, pod.Metadata.Uid, gracePeriodSeconds: 0, CancellationToken.None);
        }
        catch (KubernetesException exception)
        {
            _services.Logger.LogDebug("pod {Pod} not removed: {Message}", pod.Metadata.Name, exception.Message);
        }
    }

    private static TimeSpan GracePeriod(V1Pod pod)
        => TimeSpan.FromSeconds(pod.Metadata.DeletionGracePeriodSeconds ?? pod.Spec.TerminationGracePeriodSeconds ?? 30);

    private JsonObject Manifest(IReadOnlyList<GpuDevice> gpus) => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Node",
        ["metadata"] = new JsonObject
        {
            ["name"] = _name,
            ["labels"] = new JsonObject
            {
                ["kubernetes.io/hostname"] = _name,
                ["kubernetes.io/os"] = "linux",
                ["kubernetes.io/arch"] = RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "arm64" : "amd64",
                ["amd.com/gpu.device-id"] = gpus.Select(gpu => gpu.DeviceId).FirstOrDefault() ?? "",
                ["amd.com/gpu.vram"] = string.Create(
                    CultureInfo.InvariantCulture, $"{(gpus.Select(gpu => gpu.VramBytes).FirstOrDefault() ?? 0) >> 30}G"),
            },
            ["annotations"] = new JsonObject
            {
                [ApiNames.NodeGpusAnnotation] = JsonSerializer.Serialize(gpus, KubernetesJson.Options),
                [NodeAnnotations.NumaBalancing] = NumaBalancing(),
                [NodeAnnotations.DevicePlugin] = NodeAnnotations.PluginRegistered,
            },
        },
    };

    /// <summary>What the kernel says; one that has no such switch does not balance. Local mode reports it and leaves it alone.</summary>
    private static string NumaBalancing() => File.Exists(NumaBalancingFile) ? File.ReadAllText(NumaBalancingFile).Trim() : "0";

    private JsonObject Status(IReadOnlyList<GpuDevice> gpus)
    {
        var now = _services.Time.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        var resources = new JsonObject
        {
            ["cpu"] = Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture),
            ["memory"] = string.Create(CultureInfo.InvariantCulture, $"{GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 10}Ki"),
            ["pods"] = "110",
        };

        // As a device plugin would offer them. That a process opens no other GPU is up to ROCR_VISIBLE_DEVICES alone here.
        var unique = GpuResource.HaveUniqueUuids(gpus);
        foreach (var gpu in gpus)
        {
            resources[GpuResource.NameOf(gpu, unique)] = "1";
        }

        return new JsonObject
        {
            ["capacity"] = resources,
            ["allocatable"] = resources.DeepClone(),
            ["addresses"] = new JsonArray(
                new JsonObject { ["type"] = "InternalIP", ["address"] = _services.HostIP },
                new JsonObject { ["type"] = "Hostname", ["address"] = _name }),
            ["conditions"] = new JsonArray(new JsonObject
            {
                ["type"] = "Ready",
                ["status"] = "True",
                ["reason"] = "KubeletReady",
                ["message"] = "pods run as processes of this machine",
                ["lastHeartbeatTime"] = now,
                ["lastTransitionTime"] = now,
            }),
            ["nodeInfo"] = new JsonObject
            {
                ["kubeletVersion"] = KubernetesRelease.Version,
                ["kubeProxyVersion"] = "",
                ["containerRuntimeVersion"] = "process://local",
                ["osImage"] = RuntimeInformation.OSDescription,
                ["kernelVersion"] = Environment.OSVersion.Version.ToString(),
                ["operatingSystem"] = "linux",
                ["architecture"] = RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "arm64" : "amd64",
                ["machineID"] = "",
                ["systemUUID"] = "",
                ["bootID"] = "",
            },
        };
    }
}
