using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Local;
using Cluster.Operator.Local.ApiServer;
using Cluster.Operator.Local.Kubelet;
using Cluster.Operator.Manifests;
using Cluster.Operator.Tests.Scenarios.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary>The real kubectl in containers of a real node of local mode: exec, cp, attach.</summary>
public sealed class SessionTests : IAsyncLifetime
{
    private const string NoKubectl = "kubectl is not installed (set CLUSTER_KUBECTL or put it on the PATH)";

    private readonly TemporaryFolder _folder = new();
    private readonly Prober _prober = new();
    private readonly LoopbackNetwork _network = LoopbackNetwork.Acquire();
    private LocalApiServer _server = null!;
    private KubernetesClient _client = null!;
    private LocalNode _node = null!;
    private ApiClient _api = null!;
    private Kubectl _kubectl = null!;

    public static bool HasKubectl => Kubectl.Program is not null;

    public async ValueTask InitializeAsync()
    {
        var (logs, sessions) = (new NodeLogs(), new NodeSessions());
        _server = await LocalApiServer.StartAsync(
            new LocalApiServerOptions { PodLogs = logs, PodSessions = sessions }, CancellationToken.None);
        _api = new ApiClient(_server);
        _client = KubernetesClient.Create(
            new ServerAccess(_server.BaseAddress, _server.CaCertificatePem, _server.Token).ToConfiguration());
        _node = new LocalNode("local", new NodeServices(
            _client, _network, new PodVolumes(HostFolders.ForModels(null), _folder.Path), new Dictionary<string, WorkerProgram>(),
            (_, _, _) => null, (_, _, _, _) => { }, _prober, "127.0.0.1", TimeProvider.System, NullLogger.Instance));
        (logs.Node, sessions.Node) = (_node, _node);
        await _node.StartAsync([], CancellationToken.None);
        await _api.CreateAsync(Fixtures.PodsIn("default"), Fixtures.Json("""
            {"metadata": {"name": "p"}, "spec": {"nodeName": "local", "terminationGracePeriodSeconds": 1,
              "volumes": [{"name": "v", "emptyDir": {}}],
              "containers": [{"name": "c", "image": "none:1", "env": [{"name": "GREETING", "value": "hello"}],
                "volumeMounts": [{"name": "v", "mountPath": "/data"}],
                "command": ["/bin/sh", "-c", "while true; do echo tick; sleep 0.2; done"]}]}}
            """));
        await Eventually.True(
            async () => (string?)(await _api.GetAsync($"{Fixtures.PodsIn("default")}/p"))["status"]!["phase"] == "Running", "the pod runs");
        _kubectl = new Kubectl(_server, "default");
    }

    public async ValueTask DisposeAsync()
    {
        _kubectl.Dispose();
        await _node.DisposeAsync();
        _client.Dispose();
        _api.Dispose();
        await _server.DisposeAsync();
        _network.Dispose();
        _prober.Dispose();
        _folder.Dispose();
    }

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Exec_has_the_container_s_environment_both_outputs_input_and_the_exit_code()
    {
        var (code, output) = await _kubectl.TryAsync(null, "exec", "p", "--", "sh", "-c", "echo $GREETING; echo wrong >&2; exit 3");
        Assert.Equal(3, code);
        Assert.Contains("hello", output, StringComparison.Ordinal);
        Assert.Contains("wrong", output, StringComparison.Ordinal);
        Assert.Contains("command terminated with exit code 3", output, StringComparison.Ordinal);
        Assert.Equal("one\ntwo\n", await _kubectl.RunWithInputAsync("one\ntwo\n", "exec", "-i", "p", "--", "cat"));
        var large = await _kubectl.RunAsync("exec", "p", "--", "head", "-c", "300000", "/dev/zero");
        Assert.Equal(300_000, large.Length);
    }

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Exec_says_what_cannot_be()
    {
        Assert.Contains(
            "cannot start 'no-such-program'", (await _kubectl.TryAsync(null, "exec", "p", "--", "no-such-program")).Output,
            StringComparison.Ordinal);
        Assert.Contains(
            "does not forward ports", (await _kubectl.TryAsync(null, "port-forward", "p", "0:80")).Output, StringComparison.Ordinal);
        var refused = await _api.ExpectAsync(
            HttpStatusCode.BadRequest, HttpMethod.Post, $"{Fixtures.PodsIn("default")}/p/exec?command=ls", new JsonObject());
        Assert.Contains("v5.channel.k8s.io over WebSockets and not SPDY", (string?)refused["message"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_terminal_is_refused_on_the_error_channel()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        using var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol("v5.channel.k8s.io");
        socket.Options.SetRequestHeader("Authorization", $"Bearer {_server.Token}");
        socket.Options.RemoteCertificateValidationCallback = (_, _, _, _) => true;
        var address = new UriBuilder(_server.BaseAddress)
        {
            Scheme = "wss",
            Path = $"{Fixtures.PodsIn("default")}/p/exec",
            Query = "command=ls&tty=true&stdout=true",
        };
        await socket.ConnectAsync(address.Uri, limit.Token);
        var buffer = new byte[4096];
        var received = await socket.ReceiveAsync(buffer.AsMemory(), limit.Token);
        Assert.Equal(3, buffer[0]);
        Assert.Contains(
            "local mode has no terminals", Encoding.UTF8.GetString(buffer, 1, received.Count - 1), StringComparison.Ordinal);
    }

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Cp_brings_a_file_into_a_volume()
    {
        var file = _kubectl.WriteFile("notes", "kept\n");
        await _kubectl.RunAsync("cp", file, "p:/data/notes");
        Assert.Equal("kept\n", await _kubectl.RunAsync("exec", "p", "--", "cat", "/data/notes"));
    }

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Attach_follows_the_output()
    {
        using var attach = _kubectl.Start("attach", "p");
        Assert.Equal("tick", await attach.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30)));
        attach.Kill();
        await attach.WaitForExitAsync();
    }
}
