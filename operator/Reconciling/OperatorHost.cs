using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling.Autoscaling;
using Cluster.Operator.Reconciling.Preloading;
using Cluster.Operator.Reconciling.Sizing;
using k8s;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>The operator as one call: informers → queue → <see cref="ModelDeploymentReconciler"/>. Called by the
/// <c>run</c> and <c>local</c> commands.</summary>
internal static class OperatorHost
{
    private const string ControllerName = "modeldeployment";

    /// <summary>Runs until cancelled.</summary>
    /// <exception cref="LeadershipLostException">Another process may lead now: end this one and start over.</exception>
    public static Task RunAsync(IKubernetesClient client, OperatorOptions options, CancellationToken cancellationToken)
    {
        if (options.LeaderElection is null)
        {
            return LeadAsync(client, options, cancellationToken);
        }

        LeaderElection election = new(
            client, options.LeaderElection, options.Time, options.Random, options.Metrics, options.Readiness,
            options.Logging.CreateLogger<LeaderElection>());
        return election.RunAsync(token => LeadAsync(client, options, token), cancellationToken);
    }

    /// <summary>The caches are filled only now, after leadership was won: whatever the last leader wrote is in them.</summary>
    private static async Task LeadAsync(IKubernetesClient client, OperatorOptions options, CancellationToken cancellationToken)
    {
        var logger = options.Logging.CreateLogger(ControllerName);
        var deployments = Follow<ModelDeployment>(options.Namespace);
        var services = Follow<V1Service>(options.Namespace, WorkerServices.Selector);
        var budgets = Follow<V1PodDisruptionBudget>(options.Namespace, WorkerServices.Selector);
        var accounts = Follow<V1ServiceAccount>(options.Namespace, WorkerServices.Selector);
        var nodes = Follow<V1Node>(null);

        // Pods of all namespaces: any of them may hold GPUs.
        var pods = Follow<V1Pod>(null);

        using var workers = WorkerLoads.CreateClient();
        using WorkQueue<NamespacedName> queue = new(ControllerName, options.Time, options.Metrics);
        Fleet fleet = new(pods.Store, nodes.Store, new PodsInFlight(options.Time), new GpuLedger([], []), queue.Add);
        Triggers triggers = new(queue, fleet);
        services.OnChange(triggers.OnService);
        budgets.OnChange(triggers.OnBudget);
        accounts.OnChange(triggers.OnAccount);
        UnreadyNodes unready = new(options.Time);
        nodes.OnChange(unready.Observe);
        nodes.OnChange(fleet.Observe);
        nodes.OnChange(triggers.OnNode);
        pods.OnChange(fleet.Observe);
        pods.OnChange(triggers.OnPod);

        Preloader preloader = new(client, pods.Store, fleet.Nodes);
        PreloadTriggers preloads = new(queue, deployments.Store);
        nodes.OnChange(preloads.OnNode);
        pods.OnChange(preloads.OnPod);

        GatewayPods gateways = new(options.Gateways?.Namespace);
        pods.OnChange(gateways.Observe);

        EventRecorder events = new(client, "cluster-operator", options.Time, options.Random, logger);
        var loads = WorkerLoads.Over(workers, options.Time);
        AutoscalerLoop autoscaler = new(
            deployments.Store, fleet.OwnedBy,
            options.Gateways is { } access ? GatewayDemand.Over(workers, access, gateways, options.Time) : new NoDemand(),
            loads, queue.Add, options.Time, logger);
        StatusWriter statuses = new(client, events, options.Time);
        ModelDeploymentReconciler reconciler = new(
            client,
            deployments.Store,
            nodes.Store,
            unready,
            new SizeDecider(
                new RememberedModelConfigs(options.ModelConfigs, options.Time), options.Worker,
                (gpu, requirements) => GpuClass.Of(fleet.Nodes(), gpu, requirements)),
            new PodActions(client, fleet, events, options.Random),
            new PodClaims(client, fleet, events),
            new DeploymentObjects(
                new WorkerServices(client, services.Store), new WorkerBudget(client, budgets.Store),
                new WorkerAccount(client, accounts.Store), new GpuClaim(client),
                new GatewaySecret(client, options.Worker.GatewayMasterKey, options.Time)),
            loads,
            WrongWorkers.Over(workers, options.Time),
            new GpuMarks(client, nodes.Store, options.Time),
            statuses,
            autoscaler,
            new ForeignAutoscalers(client, options.Time),
            preloader,
            options.Worker,
            options.Time);
        deployments.OnChange(reconciler.Observe);
        deployments.OnChange(change =>
        {
            if (!statuses.IsOwnWrite(change))
            {
                queue.Add(NamespacedName.Of(change.Object));
            }
        });
        ControllerLoop loop = new(ControllerName, queue, reconciler, options.Workers, options.Metrics, options.Time, logger);

        var following = Task.WhenAll(
            deployments.RunAsync(cancellationToken), services.RunAsync(cancellationToken), budgets.RunAsync(cancellationToken),
            accounts.RunAsync(cancellationToken), nodes.RunAsync(cancellationToken), pods.RunAsync(cancellationToken));
        var synced = Task.WhenAll(
            deployments.WhenSynced, services.WhenSynced, budgets.WhenSynced, accounts.WhenSynced, nodes.WhenSynced, pods.WhenSynced);
        await Task.WhenAny(synced, following);

        // Deciding with half-filled caches would create what exists already.
        if (synced.IsCompletedSuccessfully)
        {
            await Task.WhenAll(loop.RunAsync(cancellationToken), autoscaler.RunAsync(cancellationToken));
        }

        await following;

        // Nothing here writes back what it has read: every write is a patch, an apply or a new object.
        Informer<T> Follow<T>(string? @namespace, string? labels = null)
            where T : class, IKubernetesObject<V1ObjectMeta> =>
            new(client, @namespace, new Selection(labels, CachedFieldsOnly: true), options.Time, options.Random, logger, options.Readiness);
    }
}
