using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;

namespace Cluster.Operator.Reconciling;

/// <summary>Builds the manifest of one worker pod: the deployment's <see cref="WorkerTemplate"/> plus a name, a node and GPUs.</summary>
internal static class WorkerPod
{
    /// <summary>RCCL's channels for a full board of eight gfx94x; above 64 channels RCCL warns and ignores the value with fewer
    /// ranks.</summary>
    private const string ChannelsOfFullBoard = "112";

    /// <summary>An unpartitioned gfx94x has at least 128 GB, its smallest partitions have 24.</summary>
    private const long SmallestWholeGpuBytes = 100L * 1000 * 1000 * 1000;

    /// <param name="placement">Null when the kubelet's device plugin or a DRA driver chooses the GPUs.</param>
    public static JsonObject Build(WorkerTemplate template, ModelDeploymentSpec spec, string name, GpuPlacement? placement)
    {
        var manifest = template.Manifest.DeepClone().AsObject();
        var metadata = manifest["metadata"]!.AsObject();
        metadata.Insert(0, "name", name);
        metadata["labels"] = WorkerTemplate.WithAll(metadata["labels"], [KeyValuePair.Create(ApiNames.TemplateHashLabel, template.Hash)]);
        if (placement is not null)
        {
            metadata["annotations"] = WorkerTemplate.WithAll(metadata["annotations"], Annotations(placement));
            Pin(manifest["spec"]!.AsObject(), placement.Node);
            var container = WorkerTemplate.WorkerContainer(manifest)!;
            AddEnvironment(container, spec, placement);
            if (spec.Gpu.DeviceAccess == DeviceAccess.Plugin)
            {
                Request(container, placement);
            }
        }

        return manifest;
    }

    private static Dictionary<string, string> Annotations(GpuPlacement placement)
    {
        Dictionary<string, string> annotations = new()
        {
            [ApiNames.GpuNodeAnnotation] = placement.Node,
            [ApiNames.GpuIndicesAnnotation] = Join(placement.Indices),
        };
        if (placement.HasUuids)
        {
            annotations[ApiNames.GpuUuidsAnnotation] = string.Join(',', placement.Gpus.Select(g => g.Uuid));
        }

        return annotations;
    }

    /// <summary>Requires the node by affinity on its name, as DaemonSets do: setting spec.nodeName would go round the scheduler, and with
    /// it round resources and taints.</summary>
    public static void Pin(JsonObject podSpec, string node)
    {
        var affinity = Child(podSpec, "affinity");
        var required = Child(Child(affinity, "nodeAffinity"), "requiredDuringSchedulingIgnoredDuringExecution");
        if (required["nodeSelectorTerms"] is not JsonArray { Count: > 0 } terms)
        {
            required["nodeSelectorTerms"] = terms = new JsonArray(new JsonObject());
        }

        // Terms are alternatives, so each one needs the pin.
        foreach (var term in terms.OfType<JsonObject>())
        {
            if (term["matchFields"] is not JsonArray fields)
            {
                term["matchFields"] = fields = [];
            }

            fields.Add((JsonNode)new JsonObject { ["key"] = "metadata.name", ["operator"] = "In", ["values"] = new JsonArray(node) });
        }
    }

    /// <summary>Asks the kubelet for the very GPUs that are booked. Requests need not be given: those of extended resources are their
    /// limits.</summary>
    private static void Request(JsonObject container, GpuPlacement placement)
    {
        var limits = Child(Child(container, "resources"), "limits");
        foreach (var resource in placement.Resources)
        {
            limits[resource] = "1";
        }
    }

    private static void AddEnvironment(JsonObject container, ModelDeploymentSpec spec, GpuPlacement placement)
    {
        if (container["env"] is not JsonArray env)
        {
            container["env"] = env = [];
        }

        List<JsonObject> first = [];
        var seesOnlyItsOwn = spec.Gpu.DeviceAccess != DeviceAccess.Privileged;
        if (spec.Gpu.DeviceAccess == DeviceAccess.RuntimeClass)
        {
            first.Add(WorkerPodSpec.Variable("AMD_VISIBLE_DEVICES", Join(placement.Indices)));
        }

        // Indices count only the GPUs a process can open, so behind AMD's runtime or the kubelet's device cgroup they start at 0 again.
        // UUIDs are right everywhere: should the pod ever be given other GPUs than those that are booked for it, it sees none, and says so.
        var visible = placement.HasUuids ? string.Join(',', placement.Gpus.Select(g => g.Uuid))
            : seesOnlyItsOwn ? Join(Enumerable.Range(0, placement.Gpus.Count))
            : Join(placement.Indices);
        first.Add(WorkerPodSpec.Variable("ROCR_VISIBLE_DEVICES", visible));
        var isSet = env.Any(e => e?["name"]?.ToString() == "NCCL_MIN_NCHANNELS");
        if (!isSet && IsFullBoard(placement))
        {
            first.Add(WorkerPodSpec.Variable("NCCL_MIN_NCHANNELS", ChannelsOfFullBoard));
        }

        for (var i = 0; i < first.Count; i++)
        {
            env.Insert(i, first[i]);
        }
    }

    /// <summary>All eight GPUs of a node, unpartitioned, of the gfx94x family.</summary>
    private static bool IsFullBoard(GpuPlacement placement) =>
        placement is { Gpus.Count: 8, NodeGpuCount: 8 } && placement.Gpus.All(g => IsGfx94x(g) && IsWhole(g));

    /// <summary>As the driver says or, where it does not, by PCI id: 74a0–74bf are MI300 and MI325.</summary>
    private static bool IsGfx94x(GpuDevice gpu) =>
        gpu.Gfx is { } gfx
            ? gfx.StartsWith("gfx94", StringComparison.Ordinal)
            : gpu.DeviceId is { Length: 4 } id
                && (id.StartsWith("74a", StringComparison.OrdinalIgnoreCase) || id.StartsWith("74b", StringComparison.OrdinalIgnoreCase));

    /// <summary>As the driver says or, where it does not, by its memory.</summary>
    private static bool IsWhole(GpuDevice gpu) =>
        gpu.ComputePartition is { } mode
            ? mode.Equals("SPX", StringComparison.OrdinalIgnoreCase)
            : gpu.VramBytes is null or >= SmallestWholeGpuBytes;

    private static JsonObject Child(JsonObject parent, string field)
    {
        if (parent[field] is not JsonObject child)
        {
            parent[field] = child = [];
        }

        return child;
    }

    private static string Join(IEnumerable<int> values) =>
        string.Join(',', values.Select(v => v.ToString(CultureInfo.InvariantCulture)));
}
