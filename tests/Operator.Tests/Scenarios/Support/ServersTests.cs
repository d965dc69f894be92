using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer;
using Cluster.Operator.Tests.Local.ApiServer;

namespace Cluster.Operator.Tests.Scenarios.Support;

/// <summary>How the servers of the scenarios start and end.</summary>
public sealed class ServersTests
{
    [Theory]
    [InlineData("""{"status": {"conditions": null, "storedVersions": null}}""", false)]
    [InlineData("""{"metadata": {}}""", false)]
    [InlineData("""{"status": {"conditions": [{"type": "NamesAccepted", "status": "True"}]}}""", false)]
    [InlineData("""{"status": {"conditions": [{"type": "Established", "status": "True"}]}}""", true)]
    public void A_fresh_definition_is_not_established_and_no_error(string definition, bool established) =>
        Assert.Equal(established, ApiServerUnderTest.IsEstablished(JsonNode.Parse(definition)));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_program_ends_with_the_pipe_of_its_host_and_with_its_owner(bool byPipe)
    {
        using var folder = new TemporaryFolder();
        var file = System.IO.Path.Combine(folder.Path, "pid");
        var process = LifelineProcess.Start(
            "/bin/sh", ["-c", "echo $$ > \"$0\"; exec sleep 600", file], System.IO.Path.Combine(folder.Path, "log"));
        await Eventually.True(() => File.Exists(file) && File.ReadAllText(file).EndsWith('\n'), "the program runs");
        var child = int.Parse(File.ReadAllText(file), CultureInfo.InvariantCulture);
        Assert.True(Runs(child));
        if (byPipe)
        {
            process.Release();
            await Eventually.True(() => process.HasExited, "the shell has ended");
        }

        await process.DisposeAsync();
        await Eventually.True(() => !Runs(child), "the program has ended");
    }

    [Fact]
    public async Task A_borrowed_cluster_is_left_as_it_was()
    {
        await using var owned = await LocalApiServer.StartAsync(new LocalApiServerOptions(), CancellationToken.None);
        using var folder = new TemporaryFolder();
        var kubeconfig = System.IO.Path.Combine(folder.Path, "kubeconfig");
        owned.WriteKubeconfig(kubeconfig);
        using var owner = new ApiClient(owned);
        await owner.CreateAsync("/api/v1/namespaces", Fixtures.Json("""{"metadata": {"name": "s-mine"}}"""));
        var borrowed = await BorrowedCluster.StartAsync(kubeconfig);
        await ApiServerUnderTest.InstallDefinitionsAsync(borrowed.Access);
        using (var tests = new ApiClient(borrowed.Access))
        {
            await tests.CreateAsync("/api/v1/namespaces", Fixtures.Json("""{"metadata": {"name": "s-theirs"}}"""));
        }

        await borrowed.DisposeAsync();
        await Eventually.True(
            async () => string.Join(' ', await NamesAsync(owner, "/api/v1/namespaces")) == "default kube-system s-mine",
            "the namespaces of the tests are gone");
        Assert.Empty(await NamesAsync(owner, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"));
        await Eventually.True(
            async () => !(await NamesAsync(owner, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")).Any(),
            "the definition is gone");
    }

    private static async Task<IEnumerable<string>> NamesAsync(ApiClient client, string path) =>
        (await client.GetAsync(path))["items"]!.AsArray().Select(item => (string)item!["metadata"]!["name"]!);

    private static bool Runs(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            return !process.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
