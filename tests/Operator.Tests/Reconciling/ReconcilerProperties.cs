using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Tests.Reconciling;

/// <summary>The whole reconciler under stale caches, lost requests, lost answers, conflicts, restarts and failing pods.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class ReconcilerProperties
{
    private static readonly string[] Names = ["haiku", "sonnet", "ode"];

    public static TheoryData<int> Seeds { get; } = PropertySeeds.Take(15);

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task No_gpu_is_ever_held_twice_and_everything_converges(int seed)
    {
        Random random = new(seed);
        SimulatedCluster cluster = new(seed);
        cluster.Add(Given.Node("n1"));
        cluster.Add(Given.Node("n2"));
        cluster.Add(Given.Node("n3", 4));
        foreach (var name in Names)
        {
            cluster.Add(Given.Deployment(name, s =>
            {
                s.Replicas = random.Next(1, 4);
                s.TensorParallelSize = 1 << random.Next(2);
            }));
        }

        cluster.Server.BeforeCall = (_, kind, _) => Fail(kind, random, chance: 12, mayRefuse: true);

        // A server that has done what it was asked never answers no; but its answer may be lost.
        cluster.Server.AfterWrite = (_, kind, _) => Fail(kind, random, chance: 20, mayRefuse: false);
        for (var step = 0; step < 120; step++)
        {
            await Chaos(cluster, random);
            cluster.Deliver(random.Next(4));
            try
            {
                await cluster.Reconcile(Names[random.Next(Names.Length)]);
            }
            catch (Exception e) when (e is KubernetesException or IOException)
            {
                // What the control loop would try again.
            }

            Assert.Empty(cluster.SharedGpus());
        }

        cluster.Server.BeforeCall = null;
        cluster.Server.AfterWrite = null;
        foreach (var node in new[] { "n1", "n2", "n3" })
        {
            SetNode(cluster, node, n =>
            {
                n["spec"] = new JsonObject();
                n["status"]!["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = "True" });
            });
        }

        for (var round = 0; round < 8; round++)
        {
            cluster.Time.Advance(TimeSpan.FromMinutes(6));
            foreach (var name in Names)
            {
                await cluster.Settle(name);
                cluster.EndTerminatingPods();
                cluster.StartAllPods();
            }

            Assert.Empty(cluster.SharedGpus());
        }

        // 20 GPUs suffice for three deployments of at most three replicas of two.
        foreach (var name in Names)
        {
            await cluster.Settle(name);
            var wanted = cluster.Deployment(name).Spec.Replicas;
            var replicas = cluster.Replicas(name);
            Assert.True(
                replicas.Count == wanted && replicas.TrueForAll(r => r.Ready),
                $"{name}: {replicas.Count} of {wanted}: "
                + $"{string.Join("; ", cluster.Deployment(name).Status!.Conditions!.Select(c => c.Type + " " + c.Message))}");
            Assert.Equal("True", cluster.Condition("Ready", name).Status);
            Assert.Equal("Complete", cluster.Condition("Progressing", name).Reason);
        }
    }

    private static async Task Chaos(SimulatedCluster cluster, Random random)
    {
        List<V1Pod> pods = [.. cluster.Server.All<V1Pod>()];
        var pod = pods.Count == 0 ? null : pods[random.Next(pods.Count)];
        switch (random.Next(13))
        {
            case 0:
                cluster.ChangeSpec(Names[random.Next(Names.Length)], s => s["replicas"] = random.Next(4));
                break;
            case 1:
                cluster.ChangeSpec(Names[random.Next(Names.Length)], s => s["drainSeconds"] = random.Next(1, 60));
                break;
            case 2 when pod is { Metadata.DeletionTimestamp: null }:
                cluster.FailPod(pod.Metadata.Name);
                break;
            case 3:
                cluster.EndTerminatingPods();
                break;
            case 4:
                cluster.Time.Advance(TimeSpan.FromSeconds(random.Next(40)));
                break;
            case 5 when random.Next(4) == 0:
                cluster.Restart();
                break;
            case 7:
                SetNode(cluster, $"n{random.Next(1, 4)}", n => n["status"]!["conditions"] = new JsonArray(new JsonObject
                {
                    ["type"] = "Ready",
                    ["status"] = random.Next(2) == 0 ? "Unknown" : "True",
                    ["lastTransitionTime"] = (cluster.Time.GetUtcNow() - TimeSpan.FromMinutes(random.Next(8)))
                        .ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
                }));
                break;
            case 8:
                SetNode(cluster, $"n{random.Next(1, 4)}", n => n["spec"] = new JsonObject
                {
                    ["unschedulable"] = random.Next(3) == 0,
                    ["taints"] = random.Next(3) == 0
                        ? new JsonArray(new JsonObject { ["key"] = "dedicated", ["effect"] = "NoSchedule" })
                        : null,
                });
                break;
            case 6 when pod is not null:
                try
                {
                    await cluster.Server.DeleteAsync<V1Pod>("ns", pod.Metadata.Name, null, null, CancellationToken.None);
                }
                catch (Exception e) when (e is KubernetesException or IOException)
                {
                    // A person with kubectl meets the same failures.
                }

                break;
            default:
                cluster.StartAllPods();
                break;
        }
    }

    private static void SetNode(SimulatedCluster cluster, string name, Action<JsonObject> change) =>
        cluster.Server.Update<V1Node>(null, name, change);

    private static void Fail(string kind, Random random, int chance, bool mayRefuse)
    {
        if (kind is "Node" || random.Next(chance) != 0)
        {
            return;
        }

        throw random.Next(mayRefuse ? 4 : 3) switch
        {
            0 => new IOException("connection reset"),
            1 => new KubernetesException(500, "InternalError", "etcd timeout"),
            2 => new KubernetesException(0, "Unreachable", "timed out"),
            _ => new KubernetesException(409, "Conflict", "changed meanwhile"),
        };
    }
}
