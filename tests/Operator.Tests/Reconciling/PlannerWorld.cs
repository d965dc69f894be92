using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>A random cluster for <see cref="PlannerProperties"/>: boards of one and two hives, partitions, taints, cordons, nodes
/// that vanish, stop answering and come back, GPUs that fail and let those after them move up. Pods start, fail and end, but only
/// where their node answers and has their GPUs.</summary>
internal sealed class PlannerWorld
{
    private static readonly TimeSpan Tolerance = TimeSpan.FromMinutes(5);

    private readonly Random _random;
    private readonly List<V1Node> _nodes = [];
    private readonly List<V1Pod> _pods = [];
    private readonly Dictionary<string, IReadOnlyList<GpuDevice>> _devices = [];
    private readonly PlanRequest[] _requests;
    private DateTimeOffset _now = DateTimeOffset.UnixEpoch.AddDays(30);
    private int _names;

    public PlannerWorld(int seed)
    {
        _random = new Random(seed);
        _nodes.AddRange(Enumerable.Range(0, _random.Next(1, 5)).Select(i => NewNode($"n{i}")));
        _requests = [.. Enumerable.Range(0, _random.Next(1, 4)).Select(_ => NewRequest())];
    }

    public override string ToString() =>
        string.Join('\n', Replicas().Select(r => $"{r.Name} {r.Node} {string.Join(',', r.Gpus)} {r.Ready} {r.Terminating} {r.Finished}"));

    public void Chaos()
    {
        var which = _random.Next(_requests.Length);
        var node = _nodes.Count == 0 ? null : _nodes[_random.Next(_nodes.Count)];
        switch (_random.Next(18))
        {
            case 0:
                _requests[which] = _requests[which] with { Replicas = _random.Next(6) };
                break;
            case 1:
                _requests[which] = NewRequest() with { TemplateHash = $"hash-{_random.Next(1000)}" };
                break;
            case 2 when _nodes.Count > 1:
                _nodes.Remove(node!);
                break;
            case 3 when _nodes.Count < 5:
                _nodes.Add(NewNode($"m{_names++}"));
                break;
            case 4:
                node!.Spec.Unschedulable ^= true;
                break;
            case 5 when Any(p => p.Metadata.DeletionTimestamp is null && Answers(p)) is { } pod:
                pod.Status = new V1PodStatus { Phase = "Failed" };
                break;
            case 6 when Any(IsReady) is { } pod:
                SetReady(pod, false);
                break;
            case 7 when IsUp(node!):
                StopAnswering(node!);
                break;
            case 8:
                Answer(node!);
                break;
            case 9:
                node!.Spec.Taints = node.Spec.Taints is null
                    ? [new V1Taint { Key = "dedicated", Value = "x", Effect = "NoSchedule" }]
                    : null;
                break;
            case 10:
                _now += TimeSpan.FromMinutes(_random.Next(5));
                break;
            case 11 when Any(IsReady) is { } pod:
                pod.Metadata.Annotations![ApiNames.DeletionCostAnnotation] = _random.Next(-3, 3).ToString(CultureInfo.InvariantCulture);
                break;
            case 12 when _devices[node!.Metadata.Name] is { Count: > 1 } gpus && gpus.DistinctBy(g => g.Uuid).Count() == gpus.Count:
                Fail(node, gpus[_random.Next(gpus.Count)]);
                break;
            default:
                Progress();
                break;
        }
    }

    public void PlanOne() => Plan(_random.Next(_requests.Length));

    /// <summary>No more accidents: nodes answer, pods start and end as they should, and planning goes on until nothing is left to
    /// do.</summary>
    public void CalmDown()
    {
        _nodes.ForEach(Answer);
        _nodes.ForEach(n => n.Spec.Unschedulable = false);
        for (var round = 0; round < 200; round++)
        {
            var actions = Enumerable.Range(0, _requests.Length).Sum(Plan);
            var progressed = false;
            while (Progress())
            {
                progressed = true;
            }

            if (actions == 0 && !progressed)
            {
                Enumerable.Range(0, _requests.Length).ToList().ForEach(AssertConverged);
                return;
            }
        }

        Assert.Fail("still planning after 200 quiet rounds");
    }

    private int Plan(int which)
    {
        var request = _requests[which] with { NodeLoss = Given.NodeLoss(Tolerance, _now) };
        var all = Replicas();
        List<Replica> owned = [.. all.Where(r => r.OwnerUid == Owner(which))];
        var readyBefore = owned.Count(r => r.Ready);
        var plan = Planner.Decide(request, owned, new GpuLedger(_nodes, all));
        var given = 0;
        foreach (var action in plan.Actions)
        {
            if (action is CreatePod { Placement: { } placement })
            {
                AssertWellPlaced(request, placement);
                var pod = Given.Pod(
                    $"p{_names++:d4}", placement.Node, string.Join(',', placement.Indices), request.TemplateHash, phase: "Pending",
                    age: -_names, owner: Owner(which));
                pod.Spec.NodeName = null;
                if (placement.HasUuids)
                {
                    pod.Metadata.Annotations![ApiNames.GpuUuidsAnnotation] = string.Join(',', placement.Gpus.Select(g => g.Uuid));
                }

                _pods.Add(pod);
            }
            else if (action is DeletePod delete)
            {
                given += delete.Pod.Ready && delete.Reason != DeleteReason.NodeGone ? 1 : 0;
                Delete(delete);
            }
        }

        if (given > 0)
        {
            var lost = owned.Count(r => r.Ready && r.Node is not null && FindNode(r.Node) is null);
            Assert.True(
                readyBefore - lost - given >= request.MinAvailable,
                $"{readyBefore} ready, {lost} lost, {given} given up, but {request.MinAvailable} must stay");
        }

        List<Replica> active = [.. Replicas().Where(r => r.OwnerUid == Owner(which) && !r.Terminating && !r.Finished)];
        Assert.True(
            !plan.Actions.OfType<CreatePod>().Any() || active.Count <= request.MaxReplicas, "created more than replicas + maxSurge");
        AssertNothingShared();
        return plan.Actions.Count;
    }

    private void Delete(DeletePod delete)
    {
        if (delete.Force)
        {
            Assert.Null(FindNode(delete.Pod.Node!)); // Else its processes might still be running when its GPUs are given away.
            _pods.Remove(delete.Pod.Pod);
        }
        else
        {
            delete.Pod.Pod.Metadata.DeletionTimestamp = _now.UtcDateTime;
        }
    }

    /// <summary>Judged from pods and nodes alone, without the ledger.</summary>
    private void AssertWellPlaced(PlanRequest request, GpuPlacement placement)
    {
        Assert.Equal(request.GroupSize, placement.Gpus.Count);
        var node = FindNode(placement.Node)!;
        Assert.True(MayHost(node, request), $"{placement.Node} does not take this pod");
        var sharesHive = request.Gpu.RequireSameHive && request.GroupSize > 1;
        Assert.True(!sharesHive || placement.Gpus.Select(g => g.Hive).Distinct().Count() == 1, "the group is in two hives");

        var group = FreeGroups(node, sharesHive).Single(g => g.Contains(placement.Gpus[0]));
        Assert.All(placement.Gpus, gpu => Assert.Contains(gpu, group));
        var oneNumaNodeSuffices = group.GroupBy(g => g.NumaNode).Any(g => g.Count() >= request.GroupSize);
        Assert.True(
            !oneNumaNodeSuffices || placement.Gpus.Select(g => g.NumaNode).Distinct().Count() == 1,
            "the group is split over NUMA nodes without need");
        if (request.Gpu.Placement == GpuPlacementPolicy.Pack)
        {
            var smallest = _nodes.Where(n => MayHost(n, request)).SelectMany(n => FreeGroups(n, sharesHive))
                .Where(g => g.Count >= request.GroupSize).Min(g => BitOperations.Log2((uint)g.Count));
            Assert.Equal(smallest, BitOperations.Log2((uint)group.Count));
        }
    }

    private static bool MayHost(V1Node node, PlanRequest request) =>
        IsUp(node)
            && node.Spec.Unschedulable != true
            && (node.Spec.Taints is null
                || request.Requirements.Refusal(Given.Node("tainted", 1, change: n => n.Spec.Taints = node.Spec.Taints)) is null);

    private List<List<GpuDevice>> FreeGroups(V1Node node, bool byHive)
    {
        HashSet<string> held = [.. Replicas().Where(r => r.HoldsGpus && r.Node == node.Metadata.Name).SelectMany(Held)];
        return [
            .. _devices[node.Metadata.Name]
                .Where(g => !held.Contains($"{node.Metadata.Name}/{g.Index}") && !held.Contains($"{node.Metadata.Name}/{g.Uuid}"))
                .GroupBy(g => byHive ? g.Hive : "").Select(g => g.ToList())];
    }

    private void AssertNothingShared()
    {
        List<string> held = [.. Replicas().Where(r => r.HoldsGpus).SelectMany(Held)];
        Assert.Equal(held.Count, held.Distinct().Count());
    }

    /// <summary>What its processes use: a GPU by UUID stays the same one when the others are numbered anew.</summary>
    private static IEnumerable<string> Held(Replica pod) =>
        pod.Uuids.Count > 0 ? pod.Uuids.Select(uuid => $"{pod.Node}/{uuid}") : pod.Gpus.Select(index => $"{pod.Node}/{index}");

    private void AssertConverged(int which)
    {
        var request = _requests[which];
        List<Replica> owned = [.. Replicas().Where(r => r.OwnerUid == Owner(which))];
        if (owned.Count == request.Replicas && owned.TrueForAll(r => r.Ready && r.TemplateHash == request.TemplateHash))
        {
            return;
        }

        // Anything less is right only where the GPUs do not suffice: for the missing replicas, or for a rollout that may not give up any
        // more.
        GpuLedger ledger = new(_nodes, Replicas());
        Assert.Null(new GpuPacking(request, ledger).Find());
        Assert.NotNull(Planner.Decide(request, owned, ledger).Shortage);
        Assert.True(owned.Count <= request.MaxReplicas);
    }

    /// <returns>False when every pod is as far as it can get.</returns>
    private bool Progress()
    {
        if (Any(
            p => p.Metadata.DeletionTimestamp is not null
                && (Answers(p) || !p.Metadata.Annotations!.ContainsKey(ApiNames.GpuNodeAnnotation))) is { } ending)
        {
            return _pods.Remove(ending);
        }

        if (Any(
            p => p.Status?.Phase != "Failed"
                && !IsReady(p)
                && p.Metadata.DeletionTimestamp is null
                && Answers(p)
                && HasItsGpus(Replica.Of(p))) is { } starting)
        {
            starting.Spec.NodeName = Replica.Of(starting).Node;
            starting.Status!.Phase = "Running";
            SetReady(starting, true);
            return true;
        }

        return false;
    }

    private bool HasItsGpus(Replica pod) => pod.Uuids.All(uuid => _devices[pod.Node!].Any(g => g.Uuid == uuid));

    /// <summary>As when the node is started anew without this GPU.</summary>
    private void Fail(V1Node node, GpuDevice gpu)
    {
        var name = node.Metadata.Name;
        _devices[name] = [.. _devices[name].Where(g => g != gpu).Select((g, index) => g with { Index = index })];
        node.Metadata.Annotations![ApiNames.NodeGpusAnnotation] = JsonSerializer.Serialize(_devices[name], KubernetesJson.Options);
        _pods.Where(p => Replica.Of(p) is { Ready: true } replica && replica.Node == name && !HasItsGpus(replica)).ToList()
            .ForEach(p => SetReady(p, false));
    }

    private void StopAnswering(V1Node node)
    {
        node.Status!.Conditions = [new V1NodeCondition { Type = "Ready", Status = "Unknown", LastTransitionTime = _now.UtcDateTime }];
        // As the node lifecycle controller does.
        _pods.Where(p => Replica.Of(p).Node == node.Metadata.Name && p.Status?.Phase == "Running").ToList()
            .ForEach(p => SetReady(p, false));
    }

    private void Answer(V1Node node) =>
        node.Status!.Conditions = [new V1NodeCondition { Type = "Ready", Status = "True", LastTransitionTime = _now.UtcDateTime }];

    private V1Node NewNode(string name)
    {
        var gpus = _random.Next(3) switch
        {
            // Two GPUs in eight partitions each.
            0 => [.. Given.Gpus(16).Select(g => g with { Uuid = $"GPU-{g.Index / 8:x16}", Hive = "1", NumaNode = g.Index / 8 })],
            1 => Given.Gpus(_random.Next(1, 3) * 4, hiveSize: 4),
            _ => Given.Gpus(8),
        };
        _devices[name] = gpus;
        return Given.Node(name, gpus);
    }

    private PlanRequest NewRequest() => Given.Request(
        replicas: _random.Next(5),
        groupSize: 1 << _random.Next(4),
        maxUnavailable: _random.Next(3),
        maxSurge: _random.Next(3),
        gpu: new GpuSpec
        {
            RequireSameHive = _random.Next(2) == 0,
            Placement = _random.Next(3) == 0 ? GpuPlacementPolicy.Spread : GpuPlacementPolicy.Pack
        },
        podSpec: _random.Next(2) == 0
            ? null
            : new JsonObject { ["tolerations"] = new JsonArray(new JsonObject { ["key"] = "dedicated", ["operator"] = "Exists" }) });

    private V1Pod? Any(Func<V1Pod, bool> condition)
    {
        List<V1Pod> found = [.. _pods.Where(condition)];
        return found.Count == 0 ? null : found[_random.Next(found.Count)];
    }

    private List<Replica> Replicas() => [.. _pods.Select(p => Replica.Of(p))];

    private V1Node? FindNode(string name) => _nodes.Find(n => n.Metadata.Name == name);

    /// <summary>The pod's node is there and its kubelet at work.</summary>
    private bool Answers(V1Pod pod) => Replica.Of(pod).Node is { } name && FindNode(name) is { } node && IsUp(node);

    private static bool IsUp(V1Node node) => node.Status!.Conditions![0].Status == "True";

    private static string Owner(int which) => $"owner-{which}";

    private static bool IsReady(V1Pod pod) => Replica.Of(pod).Ready;

    private static void SetReady(V1Pod pod, bool ready) =>
        pod.Status!.Conditions = [new V1PodCondition { Type = "Ready", Status = ready ? "True" : "False" }];
}
