using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Manifests;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Reconciling.Sizing;
using k8s.Models;

namespace Cluster.Operator.Plugin;

/// <summary>The cluster as <see cref="Explainer"/> needs it.</summary>
/// <param name="Deployment">With defaults.</param>
/// <param name="Nodes">All of the cluster.</param>
/// <param name="Pods">All of the cluster: any of them may hold GPUs.</param>
internal sealed record LiveCluster(ModelDeployment Deployment, IReadOnlyList<V1Node> Nodes, IReadOnlyList<V1Pod> Pods);

/// <summary>Asks the operator's own <see cref="Planner"/>, <see cref="GpuPacking"/> and <see cref="SizeDecider"/> what they think of the
/// cluster as it is, and gathers their answers. Called by <c>kubectl mdep explain</c>; no I/O but what <paramref name="configs"/>
/// does.</summary>
/// <param name="time">For how long nodes have been away.</param>
internal sealed class Explainer(IModelConfigs configs, TimeProvider time)
{
    /// <summary>What an operator was started with is its administrator's: everything is allowed here, and a refusal of theirs is in the
    /// status.</summary>
    private static readonly WorkerOptions Options = new("worker")
    {
        Policy = new PodPolicy { Allowed = PodPrivilege.All, ModelPathPrefixes = ["/"] },
    };

    private const int MostDegrees = 64;

    /// <param name="changes">As <see cref="WhatIf.Apply"/> takes them; empty for none.</param>
    /// <exception cref="Cluster.Common.CommandFailure">A change names no field.</exception>
    public async Task<Explanation> ExplainAsync(
        LiveCluster view, IReadOnlyCollection<string> changes, CancellationToken cancellationToken)
    {
        var deployment = view.Deployment.Scaled();
        GpuLedger ledger = new(view.Nodes, view.Pods.Select(pod => Replica.Of(pod)));
        List<Replica> owned = [
            .. view.Pods.Select(pod => Replica.Of(pod)).Where(pod => pod.OwnerUid == deployment.Metadata.Uid)
                .OrderBy(pod => pod.Name, StringComparer.Ordinal)];
        var draft = new Explanation
        {
            Namespace = deployment.Metadata.NamespaceProperty ?? "",
            Name = deployment.Metadata.Name,
            Replicas = deployment.Spec.Replicas,
            ReadyReplicas = owned.Count(pod => pod.Ready),
            Allocation = deployment.Spec.Gpu.Allocation.ToString(),
        };
        Question question;
        try
        {
            question = await AskAsync(deployment, deployment.Spec.Model.Config, ledger, cancellationToken);
        }
        catch (InvalidModelDeploymentException invalid)
        {
            return draft with
            {
                Invalid = invalid.Message,
                Pods = [.. owned.Select(pod => Tell(pod, ledger, why: []))],
                WhatIf = await WhatIfAsync(view.Deployment, null, owned, ledger, changes, cancellationToken),
            };
        }

        if (question.Request is not { } request)
        {
            var undecided = question.Shortage!;
            return draft with
            {
                Memory = question.Memory,
                Pods = [.. owned.Select(pod => Tell(pod, ledger, why: []))],
                Missing = Lacking(deployment.Spec.Replicas - owned.Count(IsActive), undecided),
                WhatIf = await WhatIfAsync(view.Deployment, question, owned, ledger, changes, cancellationToken),
            };
        }

        request = request with { TemplateHash = CurrentHash(deployment, owned) ?? "" };
        var plan = ledger.Tentatively(free => Planner.Decide(request, owned, free));
        List<Replica> staying = [.. owned.Where(IsActive)];
        return draft with
        {
            TensorParallelSize = request.GroupSize,
            Memory = question.Memory,
            Pods = [.. owned.Select(pod => Tell(pod, ledger, WhyThere(pod, request, owned, ledger)))],
            Missing = Missing(request, plan, staying),
            Nodes = request.IsPinned ? Nodes(request, ledger, staying, view.Pods) : [],
            WouldFit = request.IsPinned ? [.. WouldFit(request, owned, ledger, question.Sizing)] : [],
            Next = [.. plan.Actions.Select(Describe)],
            WhatIf = await WhatIfAsync(view.Deployment, question, owned, ledger, changes, cancellationToken),
        };
    }

    /// <summary>What one asks of the planner for a deployment.</summary>
    /// <param name="Request">Null while there is no degree, for the reason in <paramref name="Shortage"/>.</param>
    /// <param name="TemplateHash">Of the options here; tells two specs apart, and nothing of pods.</param>
    private sealed record Question(
        PlanRequest? Request, string? TemplateHash, SizingStatus? Sizing, MemoryAccount Memory, Shortage? Shortage);

    /// <param name="config">The model's, where a spec carries it: one with a number for a degree may not.</param>
    private async Task<Question> AskAsync(
        ModelDeployment deployment, JsonObject? config, GpuLedger ledger, CancellationToken cancellationToken)
    {
        SizeDecider decider = new(configs, Options, (gpu, requirements) => GpuClass.Of(ledger.Nodes, gpu, requirements));
        var isAuto = deployment.Spec.TensorParallelSize.IsAuto;
        var decision = isAuto
            ? (await decider.DecideAsync(deployment, cancellationToken))!
            : await AdviseAsync(decider, deployment, config, cancellationToken);
        var sizing = decision.Sizing;
        if (isAuto && decision.Shortage is { } shortage)
        {
            return new Question(null, null, sizing, Memory(sizing, null, shortage.Message), shortage);
        }

        var degree = isAuto ? sizing.TensorParallelSize!.Value : deployment.Spec.TensorParallelSize.Degree;
        var sized = deployment.Sized(degree);
        var template = WorkerTemplate.For(sized, Options);
        var request = PlanRequest.For(sized, template, UnreadyFor) with
        {
            LeastVramBytes = isAuto ? sizing.VramBytesPerGpu : null,
            MostCreations = ModelDeploymentSpec.MostReplicas,
        };
        var unknown = decision.ConfigProblem is { } why
            ? $"unknown: {why} (--models and --model-config-endpoint say where else to look)"
            : decision.Shortage?.Message;
        return new Question(request, template.Hash, sizing, Memory(sizing, degree, unknown), null);
    }

    /// <summary>What the operator would say of the memory if it had to choose the degree, for one that a person has chosen.</summary>
    private static async Task<SizeDecision> AdviseAsync(
        SizeDecider decider, ModelDeployment deployment, JsonObject? config, CancellationToken cancellationToken)
    {
        var auto = deployment.Sized(1);
        auto.Spec.TensorParallelSize = TensorParallelSize.Auto;
        auto.Spec.Model = deployment.Spec.Model.WithConfig(config);
        auto.Status = null;
        try
        {
            return (await decider.DecideAsync(auto, cancellationToken))!;
        }
        catch (InvalidModelDeploymentException notForAuto)
        {
            return new SizeDecision(new SizingStatus(), null, IsNew: false) { ConfigProblem = notForAuto.Message };
        }
    }

    private TimeSpan? UnreadyFor(V1Node node) =>
        node.Status?.Conditions?.FirstOrDefault(c => c.Type == "Ready") is { Status: not "True", LastTransitionTime: { } since }
            ? time.GetUtcNow() - new DateTimeOffset(DateTime.SpecifyKind(since, DateTimeKind.Utc))
            : null;

    private static bool IsActive(Replica pod) => pod is { Terminating: false, Finished: false };

    /// <summary>The hash of the operator's own template. It knows its image and its options; here they show in what it counts as
    /// up to date.</summary>
    /// <returns>Null when no pod is, or the operator has not looked at the spec yet.</returns>
    private static string? CurrentHash(ModelDeployment deployment, IEnumerable<Replica> owned) =>
        deployment.Status is { } status && status.ObservedGeneration == deployment.Metadata.Generation
            ? owned.Where(IsActive).GroupBy(pod => pod.TemplateHash).OrderByDescending(pods => pods.Max(pod => pod.Created))
                .FirstOrDefault(pods => pods.Count() == status.UpdatedReplicas)?.Key
            : null;

    private static MemoryAccount Memory(SizingStatus sizing, int? degree, string? problem)
    {
        var row = sizing.Alternatives?.Find(a => a.TensorParallelSize == degree);
        var advice = sizing.TensorParallelSize is { } best ? $"; auto would choose {best}" : $". {sizing.Message}";
        var message = degree is null || row is null || degree == sizing.TensorParallelSize
            ? problem ?? sizing.Message ?? "unknown"
            : row.Fits
                ? $"{ByteText.Gpus(degree.Value)} per replica fit {ByteText.Of(sizing.WeightBytes ?? 0)} of weights ({sizing.Model}), and "
                    + $"the cache holds {Number(row.KvCacheTokens)} tokens{advice}"
                : $"{ByteText.Gpus(degree.Value)} per replica: {ByteText.Of(row.MissingBytesPerGpu ?? 0)} are missing on each{advice}";
        return new MemoryAccount(
            message, row?.Fits, sizing.Model, sizing.ConfiguredBy, sizing.WeightBytes,
            degree == sizing.TensorParallelSize ? sizing.WeightBytesPerGpu : null, sizing.KvBytesPerToken, sizing.VramBytesPerGpu,
            row?.KvCacheTokens);
    }

    private static string Number(long count) => count.ToString("#,0", System.Globalization.CultureInfo.InvariantCulture);

    private static MissingAccount? Missing(PlanRequest request, Plan plan, List<Replica> staying)
    {
        var missing = request.Replicas - staying.Count;
        return missing <= 0 ? null
            : plan.Shortage is { } shortage ? Lacking(missing, shortage)
            : plan.Actions.OfType<CreatePod>().Any() ? new MissingAccount(missing, "Creating", "the operator is about to create them")
            : new MissingAccount(missing, "AwaitingGpus", "pods that are ending still hold the GPUs that will do");
    }

    private static MissingAccount? Lacking(int replicas, Shortage shortage) =>
        replicas > 0 ? new MissingAccount(replicas, shortage.Reason, shortage.Message) : null;

    private static PodAccount Tell(Replica pod, GpuLedger ledger, IReadOnlyList<string> why)
    {
        List<GpuDevice> gpus = pod.Node is { } node && ledger.Find(node) is { } there ? [.. there.HeldBy(pod)] : [];
        return new PodAccount(
            pod.Name, pod.Node, pod.Gpus, pod.Uuids, [.. gpus.Select(gpu => gpu.NumaNode).OfType<int>().Distinct().Order()],
            [.. gpus.Select(gpu => gpu.Hive).OfType<string>().Where(hive => hive is not ("" or "0")).Distinct()], pod.Ready,
            PodWords.State(pod), why);
    }

    /// <summary>Looks at the cluster as if this pod were gone and its siblings stayed.</summary>
    private static List<string> WhyThere(Replica pod, PlanRequest request, List<Replica> owned, GpuLedger ledger)
    {
        List<string> why = [];
        if (!request.IsPinned)
        {
            why.Add(PodWords.Chooser(request.Gpu.Allocation, pod.Node));
        }
        else if (pod.HoldsWholeNode)
        {
            why.Add($"its annotation {ApiNames.GpuIndicesAnnotation} cannot be read: all GPUs of node {pod.Node} count as held by it");
        }
        else if (pod.HoldsGpus)
        {
            why.AddRange(PodWords.Topology(pod, request, ledger.Find(pod.Node!)));
            why.Add(ledger.Without([pod], rest => WhyNode(pod, request, owned, rest)));
        }

        if (PodProblem.Of(pod) is { } problem)
        {
            why.Add($"{problem.Reason}: {problem.Message}");
        }

        return why;
    }

    private static string WhyNode(Replica pod, PlanRequest request, List<Replica> owned, GpuLedger rest)
    {
        GpuPacking packing = new(request, rest, owned.Where(other => IsActive(other) && other.Name != pod.Name));
        var verdicts = packing.Verdicts();
        var here = verdicts.FirstOrDefault(v => v.Node.Name == pod.Node);
        var best = verdicts.FirstOrDefault(v => v.Group is not null);
        if (here?.Group is not { } group)
        {
            return here is null
                ? $"node {pod.Node} is not in the cluster any more"
                : $"a new pod would not go to node {pod.Node} now ({here.Problem}); this one stays where it is";
        }

        if (best!.Node.Name != pod.Node)
        {
            return $"when it was placed, node {pod.Node} was the best fit; now {best.Node.Name} would be, since "
                + $"{packing.Preference(best.Group!, group)}. Pods are not moved";
        }

        var second = verdicts.Skip(1).FirstOrDefault(v => v.Group is not null);
        return second is null
            ? $"node {pod.Node} is the only one that fits it"
            : $"node {pod.Node} is the best fit: {packing.Preference(group, second.Group!)}";
    }

    private static List<NodeAccount> Nodes(PlanRequest request, GpuLedger ledger, List<Replica> staying, IReadOnlyList<V1Pod> pods)
    {
        var holders = pods.Select(pod => Replica.Of(pod)).Where(pod => pod.HoldsGpus).ToLookup(pod => pod.Node!, StringComparer.Ordinal);
        GpuPacking packing = new(request, ledger, staying);
        var next = packing.Find();
        return [
            .. packing.Verdicts().Select((verdict, i) => new NodeAccount(
                verdict.Node.Name, verdict.Node.Gpus.Count, verdict.Node.FreeCount,
                next?.Node == verdict.Node.Name ? [.. next.Indices] : null,
                verdict.Problem ?? (i == 0 ? "the next replica would go here" : "fits as well"),
                [.. holders[verdict.Node.Name].Select(pod => NamespacedName.Of(pod.Pod).ToString()).Order(StringComparer.Ordinal)])),
        ];
    }

    /// <summary>Degrees that a person would think of: powers of two, the largest group, and whatever the model can be split by.</summary>
    private static IEnumerable<DegreeAccount> WouldFit(
        PlanRequest request, List<Replica> owned, GpuLedger ledger, SizingStatus? sizing)
    {
        var largest = ledger.Nodes.Select(node => node.LargestGroup(request.Gpu.RequireSameHive)).DefaultIfEmpty().Max();
        var rows = sizing?.Alternatives?.ToDictionary(row => row.TensorParallelSize);
        SortedSet<int> degrees = [request.GroupSize];
        degrees.UnionWith(rows?.Keys.AsEnumerable() ?? Powers(largest));
        foreach (var degree in degrees.Where(degree => degree <= largest || degree == request.GroupSize).Take(MostDegrees))
        {
            var row = rows?.GetValueOrDefault(degree);
            var replicas = ledger.Without(owned, rest => rest.Tentatively(free => Count(request with { GroupSize = degree }, free)));
            yield return new DegreeAccount(
                degree, replicas, row?.Fits, row?.MissingBytesPerGpu, row?.KvCacheTokens, degree == request.GroupSize);
        }
    }

    private static IEnumerable<int> Powers(int largest)
    {
        for (var degree = 1; degree <= largest; degree *= 2)
        {
            yield return degree;
        }
    }

    private static int Count(PlanRequest request, GpuLedger free)
    {
        GpuPacking packing = new(request, free);
        var count = 0;
        while (count < ModelDeploymentSpec.MostReplicas && packing.Take() is not null)
        {
            count++;
        }

        return count;
    }

    private static string Describe(PlanAction action) => action switch
    {
        CreatePod { Placement: { } placement } =>
            $"create a pod on node {placement.Node}, {PodWords.Gpus(placement.Indices)}",
        CreatePod => "create a pod",
        DeletePod delete => $"delete pod {delete.Pod.Name}: {delete.Why}",
        _ => action.ToString(),
    };

    private async Task<WhatIfAccount?> WhatIfAsync(
        ModelDeployment deployment, Question? present, List<Replica> owned, GpuLedger ledger, IReadOnlyCollection<string> assignments,
        CancellationToken cancellationToken)
    {
        if (assignments.Count == 0)
        {
            return null;
        }

        IReadOnlyList<string> changes = [.. assignments];
        Question question;
        ModelDeployment changed;
        try
        {
            (changed, changes) = WhatIf.Apply(deployment, assignments);
            changed = changed.Scaled();
            var sameModel = changed.Spec.Model.Source == deployment.Spec.Model.Source;
            question = await AskAsync(
                changed, changed.Spec.Model.Config ?? (sameModel ? deployment.Spec.Model.Config : null), ledger, cancellationToken);
        }
        catch (Exception refused) when (refused is ManifestException or InvalidModelDeploymentException)
        {
            return new WhatIfAccount(changes, refused.Message, false, deployment.Scaled().Spec.Replicas, null, 0, [], null, null, []);
        }

        if (question.Request is not { } request)
        {
            return new WhatIfAccount(
                changes, null, false, changed.Spec.Replicas, null, 0, [], Lacking(changed.Spec.Replicas, question.Shortage!),
                question.Memory, []);
        }

        // What the operator would call outdated can be told by the difference alone.
        var replaces = question.TemplateHash != present?.TemplateHash;
        request = request with { TemplateHash = replaces ? "" : CurrentHash(deployment, owned) ?? "" };
        var steps = ledger.Tentatively(free => Planner.Decide(request, owned, free));
        var end = replaces
            ? ledger.Without(owned, rest => rest.Tentatively(free => Planner.Decide(request, [], free)))
            : steps;
        var leaving = steps.Actions.OfType<DeletePod>().Select(delete => delete.Pod.Name).ToHashSet(StringComparer.Ordinal);
        List<PlacementAccount> placements = [
            .. owned.Where(pod => !replaces && IsActive(pod) && !leaving.Contains(pod.Name))
                .Select(pod => new PlacementAccount(pod.Name, pod.Node, pod.Gpus)),
            .. end.Actions.OfType<CreatePod>()
                .Select(create => new PlacementAccount(null, create.Placement?.Node, [.. create.Placement?.Indices ?? []]))];
        return new WhatIfAccount(
            changes, null, replaces, request.Replicas, request.GroupSize, placements.Count, placements,
            end.Shortage is { } shortage ? Lacking(request.Replicas - placements.Count, shortage) : null, question.Memory,
            [.. steps.Actions.Select(Describe)]);
    }
}
