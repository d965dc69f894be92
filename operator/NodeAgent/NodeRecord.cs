using System.Text.Json.Nodes;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.NodeAgent;

/// <summary>This machine's Node object as the agent reads and writes it: annotations and labels of its own, by merge patch, only what
/// differs. Used by <see cref="NodeAgentLoop"/>.</summary>
internal sealed class NodeRecord
{
    private readonly IKubernetesClient _client;
    private V1Node _node;

    private NodeRecord(IKubernetesClient client, V1Node node)
    {
        _client = client;
        _node = node;
    }

    /// <exception cref="KubernetesException">The node is not there, or the API server not reachable.</exception>
    public static async Task<NodeRecord> ReadAsync(IKubernetesClient client, string name, CancellationToken cancellationToken) =>
        new(client, await client.GetAsync<V1Node>(null, name, cancellationToken));

    public string? Annotation(string key) => _node.GetAnnotation(key);

    /// <summary>Makes the named annotations and labels what is given, a null by removing. Writes nothing when they are so
    /// already.</summary>
    /// <exception cref="KubernetesException">The API server could not be reached or refused.</exception>
    public async Task WriteAsync(
        IReadOnlyDictionary<string, string?> annotations, IReadOnlyDictionary<string, string?> labels, CancellationToken cancellationToken)
    {
        JsonObject metadata = [];
        AddDifference(metadata, "annotations", _node.Metadata.Annotations, annotations);
        AddDifference(metadata, "labels", _node.Metadata.Labels, labels);
        if (metadata.Count > 0)
        {
            _node = await _client.PatchAsync<V1Node>(
                null, _node.Metadata.Name, PatchType.Merge, new JsonObject { ["metadata"] = metadata }, null, cancellationToken);
        }
    }

    private static void AddDifference(
        JsonObject metadata, string field, IDictionary<string, string>? current, IReadOnlyDictionary<string, string?> wanted)
    {
        JsonObject difference = [];
        foreach ((var key, var value) in wanted)
        {
            var now = current is not null && current.TryGetValue(key, out var found) ? found : null;
            if (now != value)
            {
                difference[key] = value;
            }
        }

        if (difference.Count > 0)
        {
            metadata[field] = difference;
        }
    }
}
