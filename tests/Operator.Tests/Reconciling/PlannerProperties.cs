using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using Xunit;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>Random clusters in which pods start, fail and end, nodes vanish and specs change, while <see cref="Planner"/> has its way.</summary>
public sealed class PlannerProperties
{
    public static TheoryData<int> Seeds { get; } = [.. Enumerable.Range(1, 60)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Never_books_twice_never_gives_up_too_many_and_always_converges(int seed)
    {
        World world = new(seed);
        for (int step = 0; step < 120; step++)
        {
            world.Chaos();
            world.PlanOne();
        }

        world.CalmDown();
    }

    [Fact]
    public void The_same_input_gives_the_same_plan()
    {
        for (int seed = 1; seed < 30; seed++)
        {
            Assert.Equal(Run(seed), Run(seed));
        }

        static string Run(int seed)
        {
            World world = new(seed);
            for (int step = 0; step < 20; step++)
            {
                world.Chaos();
                world.PlanOne();
            }

            return world.ToString();
        }
    }

    private sealed class World
    {
        private readonly Random random;
        private readonly List<Node> nodes = [];
        private readonly List<Pod> pods = [];
        private readonly PlanRequest[] requests;
        private int names;

        public World(int seed)
        {
            random = new Random(seed);
            int count = random.Next(1, 5);
            for (int i = 0; i < count; i++)
            {
                nodes.Add(Given.Node($"n{i}", random.Next(1, 3) * 4, hiveSize: random.Next(2) == 0 ? 4 : 8));
            }

            requests = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => NewRequest())];
        }

        public override string ToString() => string.Join('\n', pods.Select(p => Replica.Of(p)).Select(r => $"{r.Name} {r.Node} {string.Join(',', r.Gpus)} {r.Ready} {r.Terminating} {r.Finished}"));

        public void Chaos()
        {
            switch (random.Next(12))
            {
                case 0:
                    int which = random.Next(requests.Length);
                    requests[which] = requests[which] with { Replicas = random.Next(6) };
                    break;
                case 1:
                    which = random.Next(requests.Length);
                    requests[which] = NewRequest() with { TemplateHash = $"hash-{random.Next(1000)}" };
                    break;
                case 2 when nodes.Count > 1:
                    nodes.RemoveAt(random.Next(nodes.Count));
                    break;
                case 3 when nodes.Count < 5:
                    nodes.Add(Given.Node($"m{names++}", random.Next(1, 3) * 4));
                    break;
                case 4:
                    nodes[random.Next(nodes.Count)].Spec.Unschedulable ^= true;
                    break;
                case 5 when Any(p => p.Metadata.DeletionTimestamp is null) is { } pod:
                    pod.Status = new PodStatus { Phase = "Failed" };
                    break;
                case 6 when Any(p => IsReady(p)) is { } pod:
                    SetReady(pod, false);
                    break;
                default:
                    Progress();
                    break;
            }
        }

        public void PlanOne() => Plan(random.Next(requests.Length));

        /// <summary>No more accidents: pods start and end as they should, and planning goes on until nothing is left to do.</summary>
        public void CalmDown()
        {
            nodes.ForEach(n => n.Spec.Unschedulable = false);
            for (int round = 0; round < 200; round++)
            {
                int actions = Enumerable.Range(0, requests.Length).Sum(Plan);
                bool progressed = false;
                while (Progress())
                {
                    progressed = true;
                }

                if (actions == 0 && !progressed)
                {
                    Enumerable.Range(0, requests.Length).ToList().ForEach(AssertConverged);
                    return;
                }
            }

            Assert.Fail("still planning after 200 quiet rounds");
        }

        private int Plan(int which)
        {
            PlanRequest request = requests[which];
            List<Replica> all = [.. pods.Select(p => Replica.Of(p))];
            List<Replica> owned = [.. all.Where(r => r.OwnerUid == Owner(which))];
            int readyBefore = owned.Count(r => r.Ready);
            Plan plan = Planner.Decide(request, owned, new GpuLedger(nodes, all));
            int given = 0;
            foreach (PlanAction action in plan.Actions)
            {
                if (action is CreatePod { Placement: { } placement })
                {
                    Assert.Equal(request.GroupSize, placement.Gpus.Count);
                    Assert.True(!request.Gpu.RequireSameHive || request.GroupSize == 1 || placement.Gpus.Select(g => g.Hive).Distinct().Count() == 1);
                    Assert.NotEqual(true, nodes.Single(n => n.Metadata.Name == placement.Node).Spec.Unschedulable);
                    Pod pod = Given.Pod($"p{names++:d4}", placement.Node, string.Join(',', placement.Indices), request.TemplateHash, phase: "Pending", age: -names, owner: Owner(which));
                    pod.Spec.NodeName = null;
                    pods.Add(pod);
                }
                else if (action is DeletePod delete)
                {
                    given += delete.Pod.Ready && delete.Reason != DeleteReason.NodeGone ? 1 : 0;
                    if (delete.Force)
                    {
                        pods.Remove(delete.Pod.Pod);
                    }
                    else
                    {
                        delete.Pod.Pod.Metadata.DeletionTimestamp = DateTimeOffset.UnixEpoch;
                    }
                }
            }

            if (given > 0)
            {
                int lost = owned.Count(r => r.Ready && r.Node is not null && !nodes.Exists(n => n.Metadata.Name == r.Node));
                Assert.True(readyBefore - lost - given >= request.MinAvailable, $"{readyBefore} ready, {lost} lost, {given} given up, but {request.MinAvailable} must stay");
            }

            List<Replica> active = [.. pods.Select(p => Replica.Of(p)).Where(r => r.OwnerUid == Owner(which) && !r.Terminating && !r.Finished)];
            Assert.True(!plan.Actions.OfType<CreatePod>().Any() || active.Count <= request.MaxReplicas, "created more than replicas + maxSurge");
            AssertNothingShared();
            return plan.Actions.Count;
        }

        private void AssertNothingShared()
        {
            List<string> held = [.. pods.Select(p => Replica.Of(p)).Where(r => r.HoldsGpus).SelectMany(r => r.Gpus.Select(g => $"{r.Node}/{g}"))];
            Assert.Equal(held.Count, held.Distinct().Count());
        }

        private void AssertConverged(int which)
        {
            PlanRequest request = requests[which];
            List<Replica> owned = [.. pods.Select(p => Replica.Of(p)).Where(r => r.OwnerUid == Owner(which))];
            if (owned.Count == request.Replicas && owned.TrueForAll(r => r.Ready && r.TemplateHash == request.TemplateHash))
            {
                return;
            }

            // Anything less is right only where the GPUs do not suffice: for the missing replicas, or for a rollout that may not give up any more.
            GpuLedger ledger = new(nodes, pods.Select(p => Replica.Of(p)));
            Assert.Null(new GpuPacking(request, ledger).Find());
            Assert.NotNull(Planner.Decide(request, owned, ledger).Shortage);
            Assert.True(owned.Count <= request.MaxReplicas);
        }

        /// <returns>False when every pod is as far as it can get.</returns>
        private bool Progress()
        {
            if (Any(p => p.Metadata.DeletionTimestamp is not null) is { } ending)
            {
                return pods.Remove(ending);
            }

            if (Any(p => p.Status?.Phase != "Failed" && !IsReady(p) && nodes.Exists(n => n.Metadata.Name == Replica.Of(p).Node)) is { } starting)
            {
                starting.Spec.NodeName = Replica.Of(starting).Node;
                starting.Status!.Phase = "Running";
                SetReady(starting, true);
                return true;
            }

            return false;
        }

        private PlanRequest NewRequest() => Given.Request(
            replicas: random.Next(5),
            groupSize: 1 << random.Next(4),
            maxUnavailable: random.Next(3),
            maxSurge: random.Next(3),
            gpu: new GpuSpec { RequireSameHive = random.Next(2) == 0 });

        private Pod? Any(Func<Pod, bool> condition)
        {
            List<Pod> found = [.. pods.Where(condition)];
            return found.Count == 0 ? null : found[random.Next(found.Count)];
        }

        private static string Owner(int which) => $"owner-{which}";

        private static bool IsReady(Pod pod) => Replica.Of(pod).Ready;

        private static void SetReady(Pod pod, bool ready) => pod.Status!.Conditions = [new Condition { Type = "Ready", Status = ready ? "True" : "False" }];
    }
}
