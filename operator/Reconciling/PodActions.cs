using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;

namespace Cluster.Operator.Reconciling;

/// <summary>Turns decisions into pods. Deciding happens under one lock for all deployments and ends with the chosen GPUs
/// reserved, so no two decisions can choose the same one; the requests go out after the lock is left.</summary>
internal sealed class PodActions(IKubernetesClient client, ObjectStore<Pod> pods, ObjectStore<Node> nodes, PodsInFlight inFlight, EventRecorder events, Random random)
{
    private const string NameAlphabet = "bcdfghjklmnpqrstvwxz2456789";
    private readonly Lock planning = new();

    /// <summary>The pods of this deployment, our latest writes included.</summary>
    public IReadOnlyList<Replica> Owned(ModelDeployment deployment) => [.. All().Where(p => IsOwner(deployment, p))];

    /// <summary>Plans and reserves.</summary>
    /// <param name="template">Null to take everything down.</param>
    public PreparedPlan Prepare(ModelDeployment deployment, WorkerTemplate? template, PlanRequest request)
    {
        lock (planning)
        {
            IReadOnlyList<Replica> all = All();
            GpuLedger ledger = new(nodes.List(), all);
            Plan plan = Planner.Decide(request, [.. all.Where(p => IsOwner(deployment, p))], ledger);
            HashSet<string> names = [.. all.Select(p => p.Name)];
            List<JsonObject> manifests = [];
            foreach (PlanAction action in plan.Actions)
            {
                if (action is CreatePod create)
                {
                    JsonObject manifest = WorkerPod.Build(template!, deployment.Spec, NewName(deployment, names), create.Placement);
                    inFlight.Creating(KubernetesJson.Read<Pod>(manifest));
                    manifests.Add(manifest);
                }
                else if (action is DeletePod delete)
                {
                    inFlight.Deleting(delete.Pod.Pod);
                }
            }

            return new PreparedPlan(plan, manifests);
        }
    }

    /// <summary>Sends the plan. Goes on after a failure, so that one refused pod does not hold up a deletion.</summary>
    /// <returns>The first failure, or null.</returns>
    public async Task<Exception?> ActAsync(ModelDeployment deployment, PreparedPlan prepared, CancellationToken cancellationToken)
    {
        Exception? failure = null;
        foreach (DeletePod delete in prepared.Plan.Actions.OfType<DeletePod>())
        {
            Exception? failed = await DeleteAsync(deployment, delete, cancellationToken).ConfigureAwait(false);
            failure ??= failed;
        }

        bool refused = false;
        foreach (JsonObject manifest in prepared.NewPods)
        {
            Pod pod = KubernetesJson.Read<Pod>(manifest);
            if (refused)
            {
                inFlight.NotCreated(pod); // What was refused once (a quota, an admission rule) would be refused again.
                continue;
            }

            Exception? failed = await CreateAsync(deployment, pod, manifest, cancellationToken).ConfigureAwait(false);
            refused = failed is not null;
            failure ??= failed;
        }

        return failure;
    }

    private async Task<Exception?> CreateAsync(ModelDeployment deployment, Pod pod, JsonObject manifest, CancellationToken cancellationToken)
    {
        try
        {
            inFlight.Created(await client.CreateAsync<Pod>(manifest, cancellationToken).ConfigureAwait(false));
            Replica replica = Replica.Of(pod);
            string where = replica.Gpus.Count == 0 ? "" : $" on GPUs {string.Join(',', replica.Gpus)} of node {replica.Node}";
            await events.RecordAsync(deployment, EventType.Normal, "CreatedPod", $"created pod {replica.Name}{where}", cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (KubernetesException e) when (e.IsAlreadyExists)
        {
            return null; // An earlier try got through although its answer did not; the cache will show it.
        }
        catch (Exception e) when (IsApiFailure(e))
        {
            if (IsDefinite(e))
            {
                inFlight.NotCreated(pod);
            }

            await events.RecordAsync(deployment, EventType.Warning, "FailedCreate", $"a pod could not be created: {e.Message}", cancellationToken).ConfigureAwait(false);
            return e;
        }
    }

    private async Task<Exception?> DeleteAsync(ModelDeployment deployment, DeletePod delete, CancellationToken cancellationToken)
    {
        Replica pod = delete.Pod;
        try
        {
            await client.DeleteAsync<Pod>(pod.Pod.Metadata.Namespace, pod.Name, pod.Uid, delete.Force ? 0 : null, cancellationToken).ConfigureAwait(false);
            EventType type = delete.Reason is DeleteReason.ScaledDown or DeleteReason.Outdated ? EventType.Normal : EventType.Warning;
            await events.RecordAsync(deployment, type, "DeletedPod", $"deleted pod {pod.Name}: {Explain(delete)}", cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (KubernetesException e) when (e.IsNotFound || e.IsConflict)
        {
            return null; // Gone, or another pod of that name by now: either way not ours to delete any more.
        }
        catch (Exception e) when (IsApiFailure(e))
        {
            if (IsDefinite(e))
            {
                inFlight.NotDeleted(pod.Pod);
            }

            return e;
        }
    }

    private static string Explain(DeletePod delete) => delete.Reason switch
    {
        DeleteReason.ScaledDown => "more replicas than wanted",
        DeleteReason.Outdated => "made from an older template",
        DeleteReason.Failed => delete.Pod.Pod.Status is { } status ? $"it ended ({status.Phase}{(status.Reason is { } reason ? $", {reason}" : "")})" : "it ended",
        DeleteReason.NodeGone => $"node {delete.Pod.Node} is gone",
        DeleteReason.NodeLost => $"node {delete.Pod.Node} has been unready for longer than the pod tolerates",
        DeleteReason.NodeRefused => $"node {delete.Pod.Node} takes no new pods any more",
        _ => "it claims a GPU that an older pod holds",
    };

    private static bool IsApiFailure(Exception e) => e is KubernetesException or HttpRequestException or IOException;

    /// <summary>The server said no, as opposed to not having been heard.</summary>
    private static bool IsDefinite(Exception e) => e is KubernetesException { StatusCode: >= 400 and < 500 and not 408 };

    private IReadOnlyList<Replica> All() => inFlight.Overlay(pods.List);

    private static bool IsOwner(ModelDeployment deployment, Replica pod) => pod.OwnerUid == deployment.Metadata.Uid && pod.OwnerUid is not null;

    private string NewName(ModelDeployment deployment, HashSet<string> taken)
    {
        string name;
        do
        {
            name = $"{deployment.Metadata.Name}-{new string(random.GetItems<char>(NameAlphabet, 5))}";
        }
        while (!taken.Add(name));

        return name;
    }
}
