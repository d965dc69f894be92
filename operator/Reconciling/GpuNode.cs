using System.Text.Json;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Reconciling;

/// <summary>A node's GPUs and which of them are held. Part of a <see cref="GpuLedger"/>.</summary>
internal sealed class GpuNode
{
    private readonly HashSet<int> held = [];
    private bool heldWhole;

    public GpuNode(Node node)
    {
        Node = node;
        (Gpus, Problem) = Read(node);
        UuidsAreUnique = Gpus.Where(g => g.Uuid is not null).GroupBy(g => g.Uuid, StringComparer.OrdinalIgnoreCase).All(g => g.Count() == 1);
    }

    public Node Node { get; }

    public string Name => Node.Metadata.Name;

    /// <summary>By index.</summary>
    public IReadOnlyList<GpuDevice> Gpus { get; }

    /// <summary>Why the node's GPU annotation cannot be used; null when it can or when there is none.</summary>
    public string? Problem { get; }

    public bool UuidsAreUnique { get; }

    public IEnumerable<GpuDevice> Free => heldWhole ? [] : Gpus.Where(g => !held.Contains(g.Index));

    public int FreeCount => Free.Count();

    public bool AreFree(IEnumerable<int> indices) => !heldWhole && !indices.Any(held.Contains);

    /// <returns>False when one of them was held already; the others are held from now on all the same.</returns>
    public bool Book(IEnumerable<int> indices)
    {
        bool allFree = !heldWhole;
        foreach (int index in indices)
        {
            allFree &= held.Add(index);
        }

        return allFree;
    }

    public void BookWhole() => heldWhole = true;

    private static (IReadOnlyList<GpuDevice> Gpus, string? Problem) Read(Node node)
    {
        if (node.Metadata.Annotations?.GetValueOrDefault(ApiNames.NodeGpusAnnotation) is not { } annotation)
        {
            return ([], null);
        }

        try
        {
            List<GpuDevice> gpus = JsonSerializer.Deserialize<List<GpuDevice>>(annotation, KubernetesJson.Options) ?? [];
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
