using System.Globalization;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>The ledger that follows changes one by one against the one made anew, and against a count by hand, after any sequence
/// of changes: pods and nodes come, change, go and come back; writes are in flight, fail or are lost; handlers run late and in any
/// order.</summary>
public sealed class FleetProperties
{
    public static TheoryData<int> Seeds { get; } = [.. Enumerable.Range(1, 40)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void After_any_changes_it_equals_what_is_made_anew(int seed)
    {
        World world = new(seed);
        for (var step = 0; step < 300; step++)
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
        private readonly Random _random;
        private readonly ObjectStore<V1Pod> _pods = new();
        private readonly ObjectStore<V1Node> _nodes = new();
        private readonly PodsInFlight _inFlight = new(new ManualTime());
        private readonly GpuLedger _ledger = new([], []);
        private readonly Fleet _fleet;
        private readonly List<Action> _handlers = [];
        private int _uids;

        public World(int seed)
        {
            _random = new Random(seed);
            _fleet = new Fleet(_pods, _nodes, _inFlight, _ledger, _ => { });
        }

        private static IEnumerable<string> PodNames => Enumerable.Range(0, 12).Select(i => $"p{i}");

        private static IEnumerable<string> NodeNames => Enumerable.Range(0, 4).Select(i => $"n{i}");

        public void Change()
        {
            var name = $"p{_random.Next(12)}";
            NamespacedName key = new("ns", name);
            var cached = _pods.Get(key);
            switch (_random.Next(10))
            {
                case 0 or 1:
                    PutNode(NewNode($"n{_random.Next(4)}"));
                    break;
                case 2 when _nodes.Get(new NamespacedName("", $"n{_random.Next(4)}")) is { } node:
                    _nodes.Remove(NamespacedName.Of(node));
                    _handlers.Add(() => _fleet.Observe(new ObjectChange<V1Node>(ChangeType.Deleted, node, node)));
                    break;
                case 3 when cached is null && _inFlight.Pending(key) is null:
                    var wanted = NewPod(name);
                    wanted.Metadata.Uid = null;
                    wanted.Metadata.CreationTimestamp = null;
                    _inFlight.Creating(wanted);
                    _fleet.Created(wanted);
                    break;
                case 4 when _inFlight.Pending(key) is { } pending:
                    pending.Metadata.Uid ??= $"uid-{_uids++}";
                    Tell(_random.Next(3) == 0 ? () => _fleet.NotCreated(pending) : () => _fleet.Created(pending));
                    break;
                case 5 when cached is not null:
                    _inFlight.Deleting(cached);
                    _fleet.Observe(new ObjectChange<V1Pod>(ChangeType.Updated, cached, cached));
                    break;
                case 6 when cached is not null:
                    _fleet.NotDeleted(cached);
                    break;
                case 7 when cached is not null:
                    _pods.Remove(key);
                    _handlers.Add(() => _fleet.Observe(new ObjectChange<V1Pod>(ChangeType.Deleted, cached, cached)));
                    break;
                default:
                    var now = NewPod(name);
                    now.Metadata.Uid = cached?.Metadata.Uid ?? _inFlight.Pending(key)?.Metadata.Uid ?? $"uid-{_uids++}";
                    _pods.Put(now);
                    _handlers.Add(
                        () => _fleet.Observe(new ObjectChange<V1Pod>(cached is null ? ChangeType.Added : ChangeType.Updated, cached, now)));
                    break;
            }
        }

        /// <returns>False when some handlers have still to run.</returns>
        public bool CatchUp()
        {
            if (_random.Next(3) != 0)
            {
                return false;
            }

            Action[] late = [.. _handlers];
            _handlers.Clear();
            _random.Shuffle(late);
            Array.ForEach(late, handle => handle());
            return true;
        }

        public void AssertEqualsAnew()
        {
            List<Replica> all = [
                .. PodNames.Select(n => new NamespacedName("ns", n)).Select(k => _pods.Get(k) ?? _inFlight.Pending(k)).OfType<V1Pod>()
                .Select(p => Replica.Of(p, p.Metadata.Uid is { } uid && _inFlight.IsDeleting(uid)))];
            GpuLedger anew = new(_nodes.List(), all);
            Read(followed =>
            {
                Assert.Equal(Describe(anew), Describe(followed));
                foreach (var node in followed.Nodes)
                {
                    List<Replica> here = [.. all.Where(r => r.HoldsGpus && r.Node == node.Name)];
                    var free = node.Gpus.Select(g => g.Index).Where(_ => !here.Exists(r => r.HoldsWholeNode))
                        .Where(g => !here.Exists(r => r.Gpus.Contains(g)));
                    Assert.Equal(free, node.Free.Select(g => g.Index));
                }

                Assert.Equal(followed.Nodes.Sum(n => n.FreeCount), followed.FreeCount);
            });
            foreach (var owner in new[] { "owner-0", "owner-1" })
            {
                Assert.Equal(all.Where(r => r.OwnerUid == owner).Select(States).Order(), _fleet.OwnedBy(owner).Select(States).Order());
            }

            foreach (var node in NodeNames)
            {
                Assert.Equal(all.Where(r => r.Node == node).Select(States).Order(), _fleet.On(node).Select(States).Order());
            }
        }

        /// <summary>Bookings on trial and pods set aside must leave no trace either.</summary>
        private void Read(Action<GpuLedger> look)
        {
            look(_ledger);
            _ledger.Tentatively(trial =>
            {
                if (trial.FreeGroups(byHive: true, 1).FirstOrDefault() is { } group)
                {
                    trial.Book(new GpuPlacement(group.Node.Name, [group.Gpus[0]], group.Node.Gpus.Count, UuidsAreUnique: true));
                    Assert.False(group.Node.AreFree([group.Gpus[0].Index]));
                }

                return trial.Without(
                    PodNames.Select(n => _pods.Get(new NamespacedName("ns", n))).OfType<V1Pod>().Take(3).Select(p => Replica.Of(p)),
                    rest => rest.FreeCount);
            });
            look(_ledger);
        }

        private static string Describe(GpuLedger ledger) => string.Join('\n', (string[])
        [
            .. ledger.Nodes.Select(n => $"{n.Name} {n.Problem} {n.UuidsAreUnique} {n.Node.Spec.Unschedulable} free {Join(n.Free)}"),
            .. ledger.DoubleBooked.Select(r => $"double {States(r)}"),
            .. from byHive in new[] { true, false } from atLeast in Enumerable.Range(0, 9) from g in ledger.FreeGroups(
                byHive, atLeast) select $"{byHive} {atLeast}: {g.Node.Name} {g.NodeFree} {Join(g.Gpus)}",
            $"{ledger.FreeCount}",
        ]);

        private static string States(Replica r) =>
            $"{r.Name} {r.Uid} {r.Node} {string.Join(',', r.Gpus)} {r.HoldsWholeNode} {r.Ready} {r.Terminating} {r.Finished}";

        private static string Join(IEnumerable<GpuDevice> gpus) =>
            string.Join(',', gpus.Select(g => g.Index.ToString(CultureInfo.InvariantCulture)));

        private V1Pod NewPod(string name) => Given.Pod(
            name,
            _random.Next(8) == 0 ? null : $"n{_random.Next(4)}",
            _random.Next(12) == 0
                ? "0,x"
                : _random.Next(8) == 0 ? null : string.Join(',', Enumerable.Range(_random.Next(8), _random.Next(1, 4))),
            ready: _random.Next(2) == 0,
            phase: _random.Next(8) == 0 ? "Failed" : "Running",
            terminating: _random.Next(6) == 0,
            age: _random.Next(5),
            owner: $"owner-{_random.Next(2)}");

        private V1Node NewNode(string name) => Given.Node(name, 4 * _random.Next(1, 3), hiveSize: 4 * _random.Next(1, 3), change: n =>
        {
            n.Spec.Unschedulable = _random.Next(2) == 0;
            if (_random.Next(8) == 0)
            {
                n.Metadata.Annotations = _random.Next(2) == 0
                    ? null
                    : new Dictionary<string, string> { [ApiNames.NodeGpusAnnotation] = "[{" };
            }
        });

        private void PutNode(V1Node node)
        {
            var before = _nodes.Put(node);
            _handlers.Add(
                () => _fleet.Observe(new ObjectChange<V1Node>(before is null ? ChangeType.Added : ChangeType.Updated, before, node)));
        }

        /// <summary>An answer may come after the cache has shown what it tells of.</summary>
        private void Tell(Action answer)
        {
            if (_random.Next(2) == 0)
            {
                answer();
            }
            else
            {
                _handlers.Add(answer);
            }
        }
    }
}
