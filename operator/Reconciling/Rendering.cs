using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.NodeAgent;
using Cluster.Operator.Reconciling.Preloading;
using Cluster.Operator.Reconciling.Sizing;
using k8s.Models;

namespace Cluster.Operator.Reconciling;

/// <summary>What the operator would create for a deployment that has no pods yet. Called by the <c>render</c> command; decides
/// with the same <see cref="Planner"/> and builds with the same builders as the operator. No I/O.</summary>
/// <param name="Objects">Services, PodDisruptionBudget, ServiceAccount, ResourceClaimTemplate, Secret, pods that fill caches, and replicas,
/// without ownerReferences: only a cluster knows the owner's uid.</param>
/// <param name="Problem">Why it is not all that was asked for; null when it is.</param>
internal sealed record Rendering(IReadOnlyList<JsonObject> Objects, string? Problem)
{
    /// <summary>GPUs of a node where no node is given.</summary>
    public const int SimulatedGpus = 8;

    /// <summary>MI300X.</summary>
    private const long SimulatedVramBytes = 192L << 30;

    /// <summary>How tensorParallelSize auto was decided; null for a number.</summary>
    public SizingStatus? Sizing { get; private init; }

    /// <param name="deployment">With defaults.</param>
    /// <param name="ledger">The cluster; what is placed is booked in it. Null for <see cref="SimulatedNodes"/>, on which every selector
    /// matches.</param>
    public static async Task<Rendering> OfAsync(
        ModelDeployment deployment, IModelConfigs configs, WorkerOptions options, GpuLedger? ledger,
        CancellationToken cancellationToken)
    {
        try
        {
            if (deployment.Spec.Autoscaling is { } autoscaling)
            {
                // What it begins with; how many there will be is up to its clients.
                WorkerTemplate.RequireValid(deployment);
                deployment = deployment.Scaled(autoscaling.Least());
            }

            SizeDecider decider = new(configs, options, (gpu, requirements) =>
                ledger is null ? [new GpuClass(SimulatedVramBytes, SimulatedGpus)] : GpuClass.Of(ledger.Nodes, gpu, requirements));
            return await decider.DecideAsync(deployment, cancellationToken) switch
            {
                null => Of(deployment, null, options, ledger),
                { Shortage: { } shortage } => new Rendering([], $"{shortage.Reason}: {shortage.Message}"),
                { Sizing: var sizing } =>
                    Of(deployment.Sized(sizing.TensorParallelSize!.Value), sizing, options, ledger) with { Sizing = sizing },
            };
        }
        catch (InvalidModelDeploymentException e)
        {
            return new Rendering([], e.Message);
        }
    }

    /// <exception cref="InvalidModelDeploymentException">No pod can be made from this deployment.</exception>
    private static Rendering Of(
        ModelDeployment deployment, SizingStatus? sizing, WorkerOptions options, GpuLedger? ledger)
    {
        var template = WorkerTemplate.For(deployment, options);
        var request = PlanRequest.For(deployment, template, unreadyFor: _ => null) with
        {
            LeastVramBytes = sizing?.VramBytesPerGpu,
            MostCreations = ModelDeploymentSpec.MostReplicas
        };
        if (ledger is null)
        {
            request = request with { Requirements = PodRequirements.None };
            ledger = new GpuLedger(SimulatedNodes(request), []);
        }

        var plan = Planner.Decide(request, [], ledger);
        List<JsonObject> objects = [
            WorkerServices.Manifest(deployment, headless: false), WorkerServices.Manifest(deployment, headless: true),
            WorkerBudget.Manifest(deployment), WorkerAccount.Manifest(deployment)];
        if (deployment.Spec.Gpu.Allocation == GpuAllocation.ResourceClaim)
        {
            objects.Add(GpuClaim.Manifest(deployment));
        }

        if (options.GatewayMasterKey is not null)
        {
            objects.Add(GatewaySecret.Manifest(deployment, key: null));
        }

        if (deployment.Spec.Model.Preload == true)
        {
            var filling = PreloadPod.Template(deployment, template);
            var targets = PreloadPod.IsShared(filling) ? [PreloadPod.Shared]
                : Preloader.TargetsOf(ledger.Nodes, deployment.Spec.Gpu, request.Requirements);
            objects.AddRange(targets.Select(target => PreloadPod.Build(deployment, filling, target)));
        }

        objects.AddRange(plan.Actions.OfType<CreatePod>().Select((create, i) =>
            WorkerPod.Build(
                template, deployment.Spec, $"{deployment.Metadata.Name}-{i.ToString(CultureInfo.InvariantCulture)}", create.Placement)));
        objects.ForEach(o => o["metadata"]!.AsObject().Remove("ownerReferences"));
        var placed = plan.Actions.Count;
        return new Rendering(
            objects,
            plan.Shortage is { } shortage
                ? $"{shortage.Reason}: placed {placed} of {deployment.Spec.Replicas} replicas: {shortage.Message}"
                : null);
    }

    /// <summary>As many empty nodes as it takes, named <c>simulated-0</c>, …; their GPUs are in one hive and have no UUIDs.</summary>
    private static IEnumerable<V1Node> SimulatedNodes(PlanRequest request)
    {
        var size = Math.Max(SimulatedGpus, request.GroupSize);
        var perNode = size / request.GroupSize;
        List<GpuDevice> devices = [
            .. Enumerable.Range(0, size).Select(i => new GpuDevice { Index = i, VramBytes = SimulatedVramBytes, Simulated = true })];
        var gpus = JsonSerializer.Serialize(devices, KubernetesJson.Options);
        return Enumerable.Range(0, request.IsPinned ? (request.Replicas + perNode - 1) / perNode : 0).Select(i => new V1Node
        {
            Metadata = new V1ObjectMeta
            {
                Name = $"simulated-{i.ToString(CultureInfo.InvariantCulture)}",
                Annotations = new Dictionary<string, string>
                {
                    [ApiNames.NodeGpusAnnotation] = gpus,
                    [NodeAnnotations.DevicePlugin] = NodeAnnotations.PluginRegistered,
                },
            },
            Spec = new V1NodeSpec(),
            Status = new V1NodeStatus
            {
                Conditions = [new V1NodeCondition { Type = "Ready", Status = "True" }],
                Allocatable = devices.ToDictionary(g => GpuResource.NameOf(g, uuidsAreUnique: true), _ => new ResourceQuantity("1")),
            },
        });
    }
}
