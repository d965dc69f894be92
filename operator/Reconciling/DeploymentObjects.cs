using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Reconciling;

/// <summary>What a deployment has beside its pods: their account, what they claim GPUs by, the key of
/// the gateway, the services and the disruption budget.
/// Called by <see cref="ModelDeploymentReconciler"/> before it plans.</summary>
internal sealed class DeploymentObjects(
    WorkerServices services, WorkerBudget budget, WorkerAccount account, GpuClaim claim, GatewaySecret secret)
{
    /// <param name="isSettled">Its pods are as they shall be.</param>
    /// <returns>What the server does not take; null when it took all.</returns>
    /// <exception cref="InvalidModelDeploymentException">One of the names is somebody else's.</exception>
    /// <exception cref="PredecessorException">One of the names is an earlier deployment's for now.</exception>
    public async Task<FailedWrite?> ApplyAsync(ModelDeployment deployment, bool isSettled, CancellationToken cancellationToken)
    {
        var missing = await TryAsync(async () =>
        {
            await account.ApplyAsync(deployment, cancellationToken);
            await claim.ApplyAsync(deployment, isSettled, cancellationToken);
            await secret.ApplyAsync(deployment, isSettled, cancellationToken);
            await services.ApplyAsync(deployment, cancellationToken);
        });
        if (missing is not null)
        {
            return new FailedWrite(missing, HoldsUpPods: true);
        }

        // A worker without a budget serves all the same.
        return await TryAsync(() => budget.ApplyAsync(deployment, cancellationToken)) is { } unprotected
            ? new FailedWrite(unprotected, HoldsUpPods: false)
            : null;
    }

    /// <summary>The deployment is gone.</summary>
    public void Forget(NamespacedName key)
    {
        services.Forget(key);
        budget.Forget(key);
        account.Forget(key);
        claim.Forget(key);
        secret.Forget(key);
    }

    private static async Task<KubernetesException?> TryAsync(Func<Task> write)
    {
        try
        {
            await write();
            return null;
        }
        catch (KubernetesException e) when (FailedWrite.IsTold(e))
        {
            return e;
        }
    }
}
