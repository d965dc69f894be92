using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>Rollouts and rollbacks under stale caches, lost requests and answers and operators that crash at any write, but
/// without accidents to pods: whatever is missing then is the operator's doing.</summary>
public sealed class RolloutProperties
{
    public static TheoryData<int> Seeds { get; } = PropertySeeds.Take(25);

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Never_more_ready_replicas_are_missing_than_maxUnavailable(int seed)
    {
        Random random = new(seed);
        SimulatedCluster cluster = new(seed);
        var nodes = random.Next(1, 3);
        for (var i = 0; i < nodes; i++)
        {
            cluster.Add(Given.Node($"n{i}", 8, hiveSize: random.Next(2) == 0 ? 4 : 8));
        }

        var groupSize = 1 << random.Next(3);
        var replicas = random.Next(1, 1 + (nodes * 8 / groupSize));
        RolloutSpec rollout = new() { MaxUnavailable = random.Next(3), MaxSurge = random.Next(3) };
        rollout.MaxUnavailable += rollout is { MaxUnavailable: 0, MaxSurge: 0 } ? 1 : 0;
        cluster.Add(Given.Deployment(change: s =>
        {
            s.Replicas = replicas;
            s.TensorParallelSize = groupSize;
            s.Rollout = rollout;
        }));
        await cluster.Finish();
        Assert.Equal(replicas, Ready(cluster));

        cluster.Server.BeforeCall = (_, kind, _) => Lose(kind, random);
        cluster.Server.AfterWrite = (_, kind, _) => Lose(kind, random);
        for (var step = 0; step < 80; step++)
        {
            switch (random.Next(8))
            {
                case 0:
                    // Of three versions one may well be a rollback.
                    cluster.ChangeSpec("haiku", s => s["drainSeconds"] = 10 + random.Next(3));
                    break;
                case 1 when random.Next(3) == 0:
                    cluster.Restart();
                    break;
                case 2:
                    cluster.EndTerminatingPods();
                    break;
                case 3:
                    cluster.Time.Advance(TimeSpan.FromSeconds(random.Next(40)));
                    break;
                case 4:
                    cluster.StartAllPods();
                    break;
                default:
                    cluster.Deliver(random.Next(4));
                    break;
            }

            await Reconcile(cluster);
            var ready = Ready(cluster);
            Assert.True(
                ready >= replicas - rollout.MaxUnavailable,
                $"{ready} of {replicas} ready, maxUnavailable {rollout.MaxUnavailable}, at step {step}, "
                + $"after\n{string.Join('\n', cluster.Server.Calls.TakeLast(40))}");
            Assert.Empty(cluster.SharedGpus());
        }

        cluster.Server.BeforeCall = null;
        cluster.Server.AfterWrite = null;
        cluster.Time.Advance(PodsInFlight.Doubtful);
        await cluster.Finish();
        var needsSpareGpus = rollout.MaxUnavailable == 0;
        var status = cluster.Deployment().Status!;
        Assert.Equal(replicas, status.ReadyReplicas);
        Assert.True(
            status.UpdatedReplicas == replicas || (needsSpareGpus && cluster.Condition("Progressing").Reason == Shortage.InsufficientGpus),
            cluster.Condition("Progressing").Message);
    }

    private static int Ready(SimulatedCluster cluster) => cluster.Replicas().Count(r => r.Ready);

    private static async Task Reconcile(SimulatedCluster cluster)
    {
        try
        {
            await cluster.Reconcile();
        }
        catch (Exception e) when (e is KubernetesException or IOException)
        {
            // What the control loop would try again.
        }
    }

    private static void Lose(string kind, Random random)
    {
        if (kind is not "Node" && random.Next(20) == 0)
        {
            throw random.Next(2) == 0 ? new IOException("connection reset") : new KubernetesException(500, "InternalError", "etcd timeout");
        }
    }
}
