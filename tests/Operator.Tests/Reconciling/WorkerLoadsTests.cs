using Cluster.Operator.Reconciling;
using Cluster.Operator.Tests.Kubernetes;

namespace Cluster.Operator.Tests.Reconciling;

public sealed class WorkerLoadsTests
{
    /// <summary>Whoever may make a ModelDeployment chooses what its pods answer, and must not get to use the operator's place in the
    /// network.</summary>
    [Fact]
    public async Task A_worker_cannot_send_the_operator_elsewhere()
    {
        await using var elsewhere = await ScriptedApiServer.StartAsync();
        await using var worker = await ScriptedApiServer.StartAsync();
        worker.Then(302, "", ("Location", elsewhere.Address.ToString()));
        using var client = WorkerLoads.CreateClient();
        await Assert.ThrowsAsync<HttpRequestException>(() => client.GetStringAsync(worker.Address, TestContext.Current.CancellationToken));
        Assert.Single(worker.Requests);
        Assert.Empty(elsewhere.Requests);
    }
}
