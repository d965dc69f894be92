using System.Globalization;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Tests.Controller;
using k8s.Models;
using Xunit;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>The ledger that follows changes one by one against the one made anew, and against a count by hand, after any sequence
/// of changes: pods and nodes come, change, go and come back; writes are in flight, fail or are lost; handlers run late and in any order.</summary>
public sealed class FleetProperties
{
    public static TheoryData<int> Seeds { get; } = [.. Enumerable.Range(1, 40)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void After_any_changes_it_equals_what_is_made_anew(int seed)
    {
        World world = new(seed);
        for (int step = 0; step < 300; step++)
        {
            world.Change();
            if (world.CatchUp())
            {
                world.AssertEqualsAnew();
            }
        }
    }

    private sealed class World
    {
        private readonly Random random;
        private readonly ObjectStore<V1Pod> pods = new();
        private readonly ObjectStore<V1Node> nodes = new();
        private readonly PodsInFlight inFlight = new(new ManualTime());
        private readonly GpuLedger ledger = new([], []);
        private readonly Fleet fleet;
        private readonly List<Action> handlers = [];
        private int uids;

        public World(int seed)
        {
            random = new Random(seed);
            fleet = new Fleet(pods, nodes, inFlight, ledger, _ => { });
        }

        private static IEnumerable<string> PodNames => Enumerable.Range(0, 12).Select(i => $"p{i}");

        private static IEnumerable<string> NodeNames => Enumerable.Range(0, 4).Select(i => $"n{i}");

        public void Change()
        {
            string name = $"p{random.Next(12)}";
            NamespacedName key = new("ns", name);
            V1Pod? cached = pods.Get(key);
            switch (random.Next(10))
            {
                case 0 or 1:
                    PutNode(NewNode($"n{random.Next(4)}"));
                    break;
                case 2 when nodes.Get(new NamespacedName("", $"n{random.Next(4)}")) is { } node:
                    nodes.Remove(NamespacedName.Of(node));
                    handlers.Add(() => fleet.Observe(new ObjectChange<V1Node>(ChangeType.Deleted, node, node)));
                    break;
                case 3 when cached is null && inFlight.Pending(key) is null:
                    V1Pod wanted = NewPod(name);
                    wanted.Metadata.Uid = null;
                    wanted.Metadata.CreationTimestamp = null;
                    inFlight.Creating(wanted);
                    fleet.Created(wanted);
                    break;
                case 4 when inFlight.Pending(key) is { } pending:
                    pending.Metadata.Uid ??= $"uid-{uids++}";
                    Tell(random.Next(3) == 0 ? () => fleet.NotCreated(pending) : () => fleet.Created(pending));
                    break;
                case 5 when cached is not null:
                    inFlight.Deleting(cached);
                    fleet.Observe(new ObjectChange<V1Pod>(ChangeType.Updated, cached, cached));
                    break;
                case 6 when cached is not null:
                    fleet.NotDeleted(cached);
                    break;
                case 7 when cached is not null:
                    pods.Remove(key);
                    handlers.Add(() => fleet.Observe(new ObjectChange<V1Pod>(ChangeType.Deleted, cached, cached)));
                    break;
                default:
                    V1Pod now = NewPod(name);
                    now.Metadata.Uid = cached?.Metadata.Uid ?? inFlight.Pending(key)?.Metadata.Uid ?? $"uid-{uids++}";
                    pods.Put(now);
                    handlers.Add(() => fleet.Observe(new ObjectChange<V1Pod>(cached is null ? ChangeType.Added : ChangeType.Updated, cached, now)));
                    break;
            }
        }

        /// <returns>False when some handlers have still to run.</returns>
        public bool CatchUp()
        {
            if (random.Next(3) != 0)
            {
                return false;
            }

            Action[] late = [.. handlers];
            handlers.Clear();
            random.Shuffle(late);
            Array.ForEach(late, handle => handle());
            return true;
        }

        public void AssertEqualsAnew()
        {
            List<Replica> all = [.. PodNames.Select(n => new NamespacedName("ns", n)).Select(k => pods.Get(k) ?? inFlight.Pending(k)).OfType<V1Pod>()
                .Select(p => Replica.Of(p, p.Metadata.Uid is { } uid && inFlight.IsDeleting(uid)))];
            GpuLedger anew = new(nodes.List(), all);
            Read(followed =>
            {
                Assert.Equal(Describe(anew), Describe(followed));
                foreach (GpuNode node in followed.Nodes)
                {
                    List<Replica> here = [.. all.Where(r => r.HoldsGpus && r.Node == node.Name)];
                    IEnumerable<int> free = node.Gpus.Select(g => g.Index).Where(_ => !here.Exists(r => r.HoldsWholeNode)).Where(g => !here.Exists(r => r.Gpus.Contains(g)));
                    Assert.Equal(free, node.Free.Select(g => g.Index));
                }

                Assert.Equal(followed.Nodes.Sum(n => n.FreeCount), followed.FreeCount);
            });
            foreach (string owner in new[] { "owner-0", "owner-1" })
            {
                Assert.Equal(all.Where(r => r.OwnerUid == owner).Select(States).Order(), fleet.OwnedBy(owner).Select(States).Order());
            }

            foreach (string node in NodeNames)
            {
                Assert.Equal(all.Where(r => r.Node == node).Select(States).Order(), fleet.On(node).Select(States).Order());
            }
        }

        /// <summary>Bookings on trial and pods set aside must leave no trace either.</summary>
        private void Read(Action<GpuLedger> look)
        {
            look(ledger);
            ledger.Tentatively(trial =>
            {
                if (trial.FreeGroups(byHive: true, 1).FirstOrDefault() is { } group)
                {
                    trial.Book(new GpuPlacement(group.Node.Name, [group.Gpus[0]], group.Node.Gpus.Count, UuidsAreUnique: true));
                    Assert.False(group.Node.AreFree([group.Gpus[0].Index]));
                }

                return trial.Without(PodNames.Select(n => pods.Get(new NamespacedName("ns", n))).OfType<V1Pod>().Take(3).Select(p => Replica.Of(p)), rest => rest.FreeCount);
            });
            look(ledger);
        }

        private static string Describe(GpuLedger ledger) => string.Join('\n', (string[])
        [
            .. ledger.Nodes.Select(n => $"{n.Name} {n.Problem} {n.UuidsAreUnique} {n.Node.Spec.Unschedulable} free {Join(n.Free)}"),
            .. ledger.DoubleBooked.Select(r => $"double {States(r)}"),
            .. from byHive in new[] { true, false } from atLeast in Enumerable.Range(0, 9) from g in ledger.FreeGroups(byHive, atLeast) select $"{byHive} {atLeast}: {g.Node.Name} {g.NodeFree} {Join(g.Gpus)}",
            $"{ledger.FreeCount}",
        ]);

        private static string States(Replica r) => $"{r.Name} {r.Uid} {r.Node} {string.Join(',', r.Gpus)} {r.HoldsWholeNode} {r.Ready} {r.Terminating} {r.Finished}";

        private static string Join(IEnumerable<GpuDevice> gpus) => string.Join(',', gpus.Select(g => g.Index.ToString(CultureInfo.InvariantCulture)));

        private V1Pod NewPod(string name) => Given.Pod(
            name,
            random.Next(8) == 0 ? null : $"n{random.Next(4)}",
            random.Next(12) == 0 ? "0,x" : random.Next(8) == 0 ? null : string.Join(',', Enumerable.Range(random.Next(8), random.Next(1, 4))),
            ready: random.Next(2) == 0,
            phase: random.Next(8) == 0 ? "Failed" : "Running",
            terminating: random.Next(6) == 0,
            age: random.Next(5),
            owner: $"owner-{random.Next(2)}");

        private V1Node NewNode(string name) => Given.Node(name, 4 * random.Next(1, 3), hiveSize: 4 * random.Next(1, 3), change: n =>
        {
            n.Spec.Unschedulable = random.Next(2) == 0;
            if (random.Next(8) == 0)
            {
                n.Metadata.Annotations = random.Next(2) == 0 ? null : new Dictionary<string, string> { [ApiNames.NodeGpusAnnotation] = "[{" };
            }
        });

        private void PutNode(V1Node node)
        {
            V1Node? before = nodes.Put(node);
            handlers.Add(() => fleet.Observe(new ObjectChange<V1Node>(before is null ? ChangeType.Added : ChangeType.Updated, before, node)));
        }

        /// <summary>An answer may come after the cache has shown what it tells of.</summary>
        private void Tell(Action answer)
        {
            if (random.Next(2) == 0)
            {
                answer();
            }
            else
            {
                handlers.Add(answer);
            }
        }
    }
}
