using System.Text.Json;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.NodeAgent;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>A node's GPUs and which of them are held. Part of a <see cref="GpuLedger"/>, which tells it who holds what.</summary>
internal sealed class GpuNode
{
    private const string SimulatedHive = "simulated";

    private readonly HashSet<int> _held = [];
    private readonly HashSet<int> _marked;
    private readonly List<Replica> _doubleBooked = [];
    private readonly string? _annotation;
    private readonly Dictionary<string, int> _indexByUuid;
    private readonly Lazy<NodeResources?> _capacity;
    private bool _heldWhole;

    /// <param name="before">What was known of the node, whose GPUs need not be read again when they are the same.</param>
    public GpuNode(V1Node node, GpuNode? before = null)
    {
        Node = node;
        _capacity = new Lazy<NodeResources?>(() => NodeResources.Allocatable(node));
        _annotation = node.GetAnnotation(ApiNames.NodeGpusAnnotation);
        if (before is not null && before._annotation == _annotation)
        {
            (Gpus, Problem, UuidsAreUnique, _indexByUuid) = (before.Gpus, before.Problem, before.UuidsAreUnique, before._indexByUuid);
        }
        else
        {
            (Gpus, Problem) = Read(_annotation);
            UuidsAreUnique = GpuResource.HaveUniqueUuids(Gpus);
            _indexByUuid = UuidsAreUnique
                ? Gpus.Where(g => g.Uuid is not null).ToDictionary(g => g.Uuid!, g => g.Index, StringComparer.OrdinalIgnoreCase)
                : [];
        }

        _marked = [
            .. node.Metadata.Annotations is { } annotations
                ? Gpus.Where(g => annotations.ContainsKey(GpuMarks.KeyOf(g, UuidsAreUnique))).Select(g => g.Index)
                : []];
        Free = Gpus;
    }

    public V1Node Node { get; }

    public string Name => Node.Metadata.Name;

    /// <summary>By index.</summary>
    public IReadOnlyList<GpuDevice> Gpus { get; }

    /// <summary>Why the node's GPU annotation cannot be used; null when it can or when there is none.</summary>
    public string? Problem { get; }

    public bool UuidsAreUnique { get; }

    /// <summary>What it has for pods beside GPUs; null where it does not say. Read once: the text of a quantity is dear.</summary>
    public NodeResources? Capacity => _capacity.Value;

    /// <summary>Indices of GPUs that compute wrong results: held by nobody, and not free.</summary>
    public IReadOnlySet<int> Marked => _marked;

    /// <summary>How much of a resource the node has for pods, as Kubernetes writes it; null when it has none of it.</summary>
    public string? Allocatable(string resource)
        => Node.Status?.Allocatable is { } all && all.TryGetValue(resource, out var quantity) ? quantity.ToString() : null;

    /// <summary>Whether the kubelet has the GPU for pods that ask for it: offered by the node agent's device plugin, and well.</summary>
    public bool IsOffered(GpuDevice gpu) => Allocatable(GpuResource.NameOf(gpu, UuidsAreUnique)) is not (null or "0");

    /// <summary>Why the node's kubelet hands out no GPUs one by one; null when it does.</summary>
    public string? PluginProblem => Node.GetAnnotation(NodeAnnotations.DevicePlugin) switch
    {
        null => "its node agent has no device plugin (nodeAgent.devicePlugin.enabled of the chart)",
        not NodeAnnotations.PluginRegistered and var status => $"its node agent's device plugin is not registered: {status}",
        _ => Gpus.Any(IsOffered) ? null : $"its kubelet has none of its GPUs for pods (status.allocatable: {GpuResource.Prefix}…)",
    };

    /// <summary>By index.</summary>
    public IReadOnlyList<GpuDevice> Free { get; private set; }

    public int FreeCount => Free.Count;

    /// <summary>Pods that claim a GPU of this node that an older pod holds.</summary>
    public IReadOnlyList<Replica> DoubleBooked => _doubleBooked;

    public bool AreFree(IEnumerable<int> indices) => !_heldWhole && !indices.Any(_held.Contains);

    /// <summary>Whether a GPU that the pod is pinned to by UUID is not there any more: the pod can never start again. False where
    /// that cannot be told.</summary>
    public bool Lacks(Replica pod) =>
        _annotation is not null && Problem is null && NamesAllByUuid && pod.Uuids.Any(u => !_indexByUuid.ContainsKey(u));

    /// <summary>The GPUs that the pod is pinned to, as far as they are here.</summary>
    public IEnumerable<GpuDevice> HeldBy(Replica pod)
    {
        HashSet<int> held = [.. IndicesOf(pod)];
        return Gpus.Where(gpu => held.Contains(gpu.Index));
    }

    private bool NamesAllByUuid => _indexByUuid.Count == Gpus.Count;

    /// <summary>Forgets who held what and books anew.</summary>
    /// <param name="claims">Pods that hold GPUs here, in any order.</param>
    /// <param name="bookings">GPUs given away besides.</param>
    public void Book(IEnumerable<Replica> claims, IEnumerable<int> bookings)
    {
        _held.Clear();
        _doubleBooked.Clear();
        _heldWhole = false;

        // Oldest first: should two pods ever claim one GPU, the one that was there first keeps it.
        foreach (var pod in claims.OrderBy(p => p.Created).ThenBy(p => p.Name, StringComparer.Ordinal)
            .ThenBy(p => p.Pod.Metadata.NamespaceProperty, StringComparer.Ordinal))
        {
            if (pod.HoldsWholeNode)
            {
                _heldWhole = true;
            }
            else if (!Hold(IndicesOf(pod)))
            {
                _doubleBooked.Add(pod);
            }
        }

        _held.UnionWith(bookings);
        _held.UnionWith(_marked);
        Free = _heldWhole ? [] : _held.Count == 0 ? Gpus : [.. Gpus.Where(g => !_held.Contains(g.Index))];
    }

    /// <param name="byHive">Only GPUs of one XGMI hive may work together, and one in no hive only alone; else all of the node.</param>
    public IEnumerable<GpuGroup> FreeGroups(bool byHive) =>
        Free.Count == 0 ? []
        : byHive ? Free.GroupBy(HiveOf, StringComparer.Ordinal).Select(hive => new GpuGroup(this, [.. hive], FreeCount))
        : [new GpuGroup(this, Free, FreeCount)];

    /// <summary>GPUs of the largest group if none were held.</summary>
    public int LargestGroup(bool byHive) =>
        byHive ? Gpus.GroupBy(HiveOf, StringComparer.Ordinal).Select(g => g.Count()).DefaultIfEmpty().Max() : Gpus.Count;

    private static string HiveOf(GpuDevice gpu) =>
        gpu.Hive is { Length: > 0 } hive && hive != "0" ? hive
        : gpu.Simulated ? SimulatedHive
        : $"alone-{gpu.Index}";

    /// <summary>The GPUs that the pod has in today's numbering: when one has failed and the node was started anew, those after it
    /// have moved up, and pods that name them by UUID have moved with them.</summary>
    private IEnumerable<int> IndicesOf(Replica pod) =>
        pod.Uuids.Count != pod.Gpus.Count || _indexByUuid.Count == 0
            ? pod.Gpus
            : pod.Gpus.Zip(pod.Uuids, (index, uuid) => _indexByUuid.TryGetValue(uuid, out var now) ? now : NamesAllByUuid ? -1 : index)
                .Where(index => index >= 0);

    /// <returns>False when one of them was held already; the others are held from now on all the same.</returns>
    private bool Hold(IEnumerable<int> indices)
    {
        var allFree = !_heldWhole;
        foreach (var index in indices)
        {
            allFree &= _held.Add(index);
        }

        return allFree;
    }

    private static (IReadOnlyList<GpuDevice> Gpus, string? Problem) Read(string? annotation)
    {
        if (annotation is null)
        {
            return ([], null);
        }

        try
        {
            var gpus = JsonSerializer.Deserialize<List<GpuDevice>>(annotation, KubernetesJson.Options) ?? [];
            return gpus.DistinctBy(g => g.Index).Count() == gpus.Count
                ? (gpus.OrderBy(g => g.Index).ToList(), null)
                : ([], $"its annotation {ApiNames.NodeGpusAnnotation} names an index twice");
        }
        catch (JsonException e)
        {
            return ([], $"its annotation {ApiNames.NodeGpusAnnotation} is not a list of GPUs: {e.Message}");
        }
    }
}
