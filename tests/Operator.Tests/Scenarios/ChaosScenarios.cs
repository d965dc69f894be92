using Cluster.Operator.Kubernetes;
using Cluster.Operator.Tests.Scenarios.Support;
using k8s.Models;

namespace Cluster.Operator.Tests.Scenarios;

/// <summary>Everything at once, in an order drawn by a fixed seed: users, nodes, watches and operators come and go. However it goes,
/// no GPU is held twice at any moment (the observer's part) and in the end everything serves.</summary>
[Trait(Category.Name, Category.Slow)]
public sealed class ChaosScenarios(ApiServerUnderTest server)
{
    private const int Steps = 30;

    private static readonly string[] Deployments = ["a", "b"];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Whatever_happens_in_whatever_order_no_gpu_is_held_twice_and_everything_converges(int seed)
    {
        await using var cluster = await TestCluster.StartAsync(await server.AccessAsync(), nodes: 2, gpus: 4, withOperator: false);
        var random = new Random(seed);
        var current = await cluster.StartOperatorAsync();
        string? lost = null;
        foreach (var name in Deployments)
        {
            await cluster.ApplyAsync(name, replicas: 2);
        }

        for (var step = 0; step < Steps; step++)
        {
            var name = Deployments[random.Next(Deployments.Length)];
            switch (random.Next(7))
            {
                case 0:
                    await cluster.ScaleAsync(name, random.Next(5));
                    break;
                case 1:
                    await cluster.ApplyAsync(name, replicas: random.Next(1, 5), gpus: 1, model: $"file:///models/{random.Next(3)}");
                    break;
                case 2:
                    await DeleteAnyPodAsync(cluster, random);
                    break;
                case 3 when lost is null:
                    lost = cluster.Node($"n{random.Next(1, 3)}");
                    await cluster.Kubelet.LoseNodeAsync(lost);
                    break;
                case 3:
                    await cluster.Kubelet.ReturnNodeAsync(lost);
                    lost = null;
                    break;
                case 4:
                    current.Gateway.CutWatches();
                    break;
                case 5:
                    await current.CrashAsync();
                    current = await cluster.StartOperatorAsync();
                    break;
                default:
                    await Task.Delay(TimeSpan.FromMilliseconds(20 * random.Next(10))); // Lets the operator come further this time.
                    break;
            }
        }

        if (lost is not null)
        {
            await cluster.Kubelet.ReturnNodeAsync(lost);
        }

        foreach (var name in Deployments)
        {
            await cluster.ApplyAsync(name, replicas: 3, model: "file:///models/last");
        }

        await cluster.UntilReadyAsync("a", 3);
        await cluster.UntilReadyAsync("b", 3);
    }

    private static async Task DeleteAnyPodAsync(TestCluster cluster, Random random)
    {
        var pods = cluster.Observer.Pods;
        if (pods.Count == 0)
        {
            return;
        }

        var pod = pods[random.Next(pods.Count)];
        try
        {
            await cluster.Client.DeleteAsync<V1Pod>(cluster.Namespace, pod.Metadata.Name, pod.Metadata.Uid, null, CancellationToken.None);
        }
        catch (KubernetesException e) when (e.StatusCode is 404 or 409)
        {
            // Gone already.
        }
    }
}
