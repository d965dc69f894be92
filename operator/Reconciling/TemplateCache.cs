using System.Collections.Concurrent;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;

namespace Cluster.Operator.Reconciling;

/// <summary>The template of each deployment, made once for each generation of its spec: a deployment is reconciled about as
/// often as it has pods, and its spec changes once a week. Called by <see cref="ModelDeploymentReconciler"/>.</summary>
internal sealed class TemplateCache(WorkerOptions options)
{
    private readonly ConcurrentDictionary<NamespacedName, (
        string? Uid, long? Generation, int Degree, WorkerTemplate Template)> _templates = new();

    /// <param name="deployment">With a number for tensorParallelSize.</param>
    /// <exception cref="InvalidModelDeploymentException">No pod can be made from this deployment.</exception>
    public WorkerTemplate For(ModelDeployment deployment)
    {
        var key = NamespacedName.Of(deployment);
        var degree = deployment.Spec.TensorParallelSize.Degree;
        if (_templates.TryGetValue(key, out var known)
            && known.Uid == deployment.Metadata.Uid
            && known.Generation == deployment.Metadata.Generation
            && known.Degree == degree)
        {
            return known.Template;
        }

        var template = WorkerTemplate.For(deployment, options);
        _templates[key] = (deployment.Metadata.Uid, deployment.Metadata.Generation, degree, template);
        return template;
    }

    public void Forget(NamespacedName key) => _templates.TryRemove(key, out _);
}
