using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Local.Kubelet;
using Cluster.Operator.NodeAgent;
using k8s.Models;

namespace Cluster.Benchmarks.Scale;

/// <summary>Node objects of eight GPUs, with about as much in them as a real kubelet, device labeller and node agent report.</summary>
internal static class SimulatedNodes
{
    public const int GpusANode = 8;

    private const int Images = 30;

    public static Task CreateAsync(KubernetesClient client, IEnumerable<string> names, CancellationToken cancellationToken) =>
        Parallel.ForEachAsync(
            names, new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = cancellationToken }, async (name, token) =>
        {
            await client.CreateAsync<V1Node>(Manifest(name), token);
            await client.PatchAsync<V1Node>(null, name, PatchType.Merge, new JsonObject { ["status"] = Status() }, "status", token);
        });

    private static JsonObject Manifest(string name) => new()
    {
        ["metadata"] = new JsonObject
        {
            ["name"] = name,
            ["labels"] = new JsonObject
            {
                ["kubernetes.io/hostname"] = name,
                ["kubernetes.io/arch"] = "amd64",
                ["kubernetes.io/os"] = "linux",
                ["node.kubernetes.io/instance-type"] = "mi300x-8",
                ["topology.kubernetes.io/region"] = "here",
                ["topology.kubernetes.io/zone"] = "here-1",
                ["amd.com/gpu.device-id"] = "74a1",
                ["amd.com/gpu.family"] = "AI",
                ["amd.com/gpu.vram"] = "192G",
            },
            ["annotations"] = new JsonObject
            {
                [ApiNames.NodeGpusAnnotation] = JsonSerializer.Serialize(SimulatedGpus.Make(GpusANode), KubernetesJson.Options),
                [NodeAnnotations.NumaBalancing] = "0",
            },
        },
    };

    private static JsonObject Status() => new()
    {
        ["capacity"] = new JsonObject { ["cpu"] = "192", ["memory"] = "2113465800Ki", ["pods"] = "110" },
        ["allocatable"] = new JsonObject { ["cpu"] = "192", ["memory"] = "2113363400Ki", ["pods"] = "110" },
        ["conditions"] = new JsonArray([.. new[] { "MemoryPressure", "DiskPressure", "PIDPressure", "Ready" }.Select(type => new JsonObject
        {
            ["type"] = type,
            ["status"] = type == "Ready" ? "True" : "False",
            ["reason"] = "Kubelet" + type,
            ["message"] = $"kubelet reports {type}",
            ["lastHeartbeatTime"] = "2026-01-01T00:00:00Z",
            ["lastTransitionTime"] = "2026-01-01T00:00:00Z",
        })]),
        ["images"] = new JsonArray([.. Enumerable.Range(0, Images).Select(i => new JsonObject
        {
            ["names"] = new JsonArray(string.Create(CultureInfo.InvariantCulture, $"registry.example/some/image-{i}@sha256:{i:x64}")),
            ["sizeBytes"] = 1_000_000L * i,
        })]),
        ["nodeInfo"] = new JsonObject
        {
            ["kernelVersion"] = "6.8.0",
            ["osImage"] = "Linux",
            ["containerRuntimeVersion"] = "containerd://2.0.0",
            ["kubeletVersion"] = "v1.34.0"
        },
    };
}
