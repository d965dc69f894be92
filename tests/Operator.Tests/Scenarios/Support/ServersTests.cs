using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer;
using Cluster.Operator.Tests.Local.ApiServer;

namespace Cluster.Operator.Tests.Scenarios.Support;

/// <summary>How the servers of the scenarios start and end.</summary>
public sealed class ServersTests(ApiServerUnderTest server)
{
    [Theory]
    [InlineData(true, true, true, "Borrowed")]
    [InlineData(true, false, true, "Borrowed")]
    [InlineData(false, true, true, "Assets")]
    [InlineData(false, true, false, "Assets")]
    [InlineData(false, false, true, "K3s Local")]
    [InlineData(false, false, false, "Local")]
    public void What_is_named_comes_before_what_happens_to_be_there(bool kubeconfig, bool assets, bool docker, string order)
    {
        var asked = 0;
        var chosen = ServerChoice.Order(kubeconfig, assets, () =>
        {
            asked++;
            return new DockerEngine(docker ? null : "it is away");
        });
        Assert.Equal(order, string.Join(' ', chosen));
        Assert.Equal(kubeconfig || assets ? 0 : 1, asked);
    }

    [Fact]
    public async Task The_scenarios_run_on_K3s_where_a_Docker_engine_can_run_it()
    {
        var access = await server.AccessAsync();
        Assert.SkipWhen(server.Kind != ServerKind.K3s, $"the scenarios run on {server.Kind} and not on K3s: {server.WhyNotK3s}");
        using var http = access.NewHttpClient();
        var version = JsonNode.Parse(await http.GetStringAsync(new Uri("/version", UriKind.Relative)));
        Assert.Contains("+k3s", (string)version!["gitVersion"]!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("200 OK", "OK", null)]
    [InlineData("503 Service Unavailable", "the engine is starting", "answers 503: the engine is starting")]
    [InlineData(null, "", "does not answer within 0.3 s")]
    public async Task A_Docker_engine_is_used_only_when_it_answers(string? status, string body, string? problem)
    {
        using var folder = new TemporaryFolder();
        var path = System.IO.Path.Combine(folder.Path, "docker.sock");
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(path));
        socket.Listen();
        var serving = Task.Run(async () =>
        {
            using var caller = await socket.AcceptAsync();
            var request = new byte[4096];
            await caller.ReceiveAsync(request);
            if (status is not null)
            {
                await caller.SendAsync(
                    Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}"));
            }

            await caller.ReceiveAsync(request); // Until the caller has had enough.
        });
        var engine = await DockerEngine.FindAsync($"unix://{path}", TimeSpan.FromSeconds(status is null ? 0.3 : 60));
        Assert.Equal(problem is null, engine.Answers);
        Assert.Equal(problem is null ? null : $"the Docker engine at unix://{path} {problem}", engine.Problem);
        await serving;
    }

    [Theory]
    [InlineData("unix:///no/such/docker.sock", "there is no Docker socket /no/such/docker.sock")]
    [InlineData("ssh://user@host", "DOCKER_HOST is ssh://user@host; asked are unix://PATH, tcp://HOST:PORT and http://HOST:PORT")]
    [InlineData("docker.sock", "DOCKER_HOST is docker.sock; asked are unix://PATH, tcp://HOST:PORT and http://HOST:PORT")]
    [InlineData("tcp://127.0.0.1:1", "no Docker engine at tcp://127.0.0.1:1: Connection refused")]
    public async Task Where_there_is_no_Docker_engine_it_says_why(string host, string problem) =>
        Assert.Equal(problem, (await DockerEngine.FindAsync(host, TimeSpan.FromSeconds(60))).Problem);

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
