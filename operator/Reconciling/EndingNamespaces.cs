using System.Collections.Concurrent;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;

namespace Cluster.Operator.Reconciling;

/// <summary>Deployments whose namespace is being deleted: they are told to go as well, soon after it, and nothing can be made for them
/// until then. Asked by <see cref="ModelDeploymentReconciler"/>.</summary>
internal sealed class EndingNamespaces(TimeProvider time)
{
    private static readonly TimeSpan Recheck = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<NamespacedName, (string Uid, long Since)> _known = new();

    /// <summary>The server has said so.</summary>
    /// <returns>When to look again.</returns>
    public TimeSpan Learned(ModelDeployment deployment)
    {
        _known[NamespacedName.Of(deployment)] = (deployment.Metadata.Uid!, time.GetTimestamp());
        return Recheck;
    }

    /// <summary>How long nothing needs to be tried; null when it may be.</summary>
    public TimeSpan? Remaining(ModelDeployment deployment) =>
        _known.TryGetValue(NamespacedName.Of(deployment), out var ending)
        && ending.Uid == deployment.Metadata.Uid
        && Recheck - time.GetElapsedTime(ending.Since) is var left
        && left > TimeSpan.Zero
            ? left
            : null;

    /// <summary>The deployment is gone.</summary>
    public void Forget(NamespacedName key) => _known.TryRemove(key, out _);
}
