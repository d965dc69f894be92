using Cluster.Operator.Api;

namespace Cluster.Operator.Reconciling.Preloading;

/// <summary>How far the caches of a deployment are.</summary>
/// <param name="Nodes">Each node's, or the one that they share.</param>
/// <param name="Refused">Why no pod that fills them may be made.</param>
internal sealed record CacheFilling(IReadOnlyList<PreloadStatus> Nodes, string? Refused)
{
    /// <summary>No pod that serves is made or replaced meanwhile.</summary>
    public bool HoldsUp { get; init; }

    /// <summary>Nodes that no replica is placed on yet.</summary>
    public IReadOnlySet<string> Unfilled { get; init; } = new HashSet<string>();

    /// <summary>In a sentence: how many, and what is wrong with the first that failed.</summary>
    public string Message
    {
        get
        {
            var done = Nodes.Count(n => n.State == PreloadState.Done);
            var count = Nodes is [{ Node: PreloadPod.Shared }]
                ? done == 1 ? "the shared cache has the model" : "the shared cache is being filled"
                : $"{done} of {Nodes.Count} nodes {(Nodes.Count == 1 ? "has" : "have")} the model";
            return Refused is not null ? $"{count}; {Refused}"
                : FirstFailed is { } failed
                    ? $"{count}; {(failed.Node == PreloadPod.Shared ? "" : $"node {failed.Node}: ")}{failed.Message}"
                : count;
        }
    }

    public bool IsDone => Nodes.All(n => n.State == PreloadState.Done);

    public bool HasFailed => Refused is not null || FirstFailed is not null;

    private PreloadStatus? FirstFailed => Nodes.FirstOrDefault(n => n.State == PreloadState.Failed);
}
