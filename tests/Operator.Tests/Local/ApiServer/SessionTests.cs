using System.Net;
using System.Net.Sockets;
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

/// <summary>The real kubectl in containers of a real node of local mode: exec, cp, attach, port-forward, terminals.</summary>
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

    [Theory(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Exec_has_the_container_s_environment_both_outputs_input_and_the_exit_code(bool webSockets)
    {
        Speak(webSockets);
        var (code, output) = await _kubectl.TryAsync(null, "exec", "p", "--", "sh", "-c", "echo $GREETING; echo wrong >&2; exit 3");
        Assert.Equal(3, code);
        Assert.Contains("hello", output, StringComparison.Ordinal);
        Assert.Contains("wrong", output, StringComparison.Ordinal);
        Assert.Contains("command terminated with exit code 3", output, StringComparison.Ordinal);
        Assert.Equal("one\ntwo\n", await _kubectl.RunWithInputAsync("one\ntwo\n", "exec", "-i", "p", "--", "cat"));
        var large = await _kubectl.RunAsync("exec", "p", "--", "head", "-c", "3000000", "/dev/zero");
        Assert.Equal(3_000_000, large.Length);
        Assert.Equal($"{1 << 20}\n", await _kubectl.RunWithInputAsync(new string('a', 1 << 20), "exec", "-i", "p", "--", "wc", "-c"));
        Assert.Contains(
            "cannot start 'no-such-program'", (await _kubectl.TryAsync(null, "exec", "p", "--", "no-such-program")).Output,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_an_upgrade_makes_a_session()
    {
        var path = $"{Fixtures.PodsIn("default")}/p";
        var refused = await _api.ExpectAsync(HttpStatusCode.BadRequest, HttpMethod.Post, $"{path}/exec?command=ls", new JsonObject());
        Assert.Equal("Upgrade request required", (string?)refused["message"]);
        await _api.ExpectAsync(HttpStatusCode.BadRequest, HttpMethod.Get, $"{path}/portforward");
        var container = await _api.ExpectAsync(
            HttpStatusCode.BadRequest, HttpMethod.Post, $"{path}/exec?command=ls&container=x", new JsonObject());
        Assert.Equal("container x is not valid for pod p", (string?)container["message"]);
        await _api.ExpectAsync(HttpStatusCode.MethodNotAllowed, HttpMethod.Put, $"{path}/attach", new JsonObject());
        await _api.ExpectAsync(
            HttpStatusCode.NotFound, HttpMethod.Post, $"{Fixtures.PodsIn("default")}/none/exec?command=ls", new JsonObject());
    }

    [Fact]
    public async Task A_terminal_is_one_has_the_client_s_size_and_keeps_the_exit_code()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        using var socket = await OpenAsync("exec", "command=sh&tty=true&stdin=true&stdout=true", limit.Token);
        await SendAsync(socket, 4, """{"Width":101,"Height":37}""", limit.Token);
        await SendAsync(
            socket, 0, "tty; until [ \"$(stty size)\" = '37 101' ]; do :; done; stty size; echo $GREETING $TERM\n", limit.Token);
        var text = await ReadUntilAsync(socket, "hello xterm\r\n", limit.Token);
        Assert.Matches("/dev/pts/[0-9]+", text);
        Assert.Contains("37 101", text, StringComparison.Ordinal);
        await SendAsync(socket, 4, """{"Width":55,"Height":11}""", limit.Token);
        await SendAsync(socket, 0, "until [ \"$(stty size)\" = '11 55' ]; do :; done; exit 7\n", limit.Token);
        var status = await ReadUntilAsync(socket, "ExitCode", limit.Token, channel: 3);
        Assert.Contains("exit status 7", status, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Control_c_interrupts_what_runs_in_a_terminal()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var script = Uri.EscapeDataString("trap 'echo interrupted' INT; echo ready; while :; do sleep 1; done");
        using var socket = await OpenAsync(
            "exec", $"command=sh&command=-c&command={script}&tty=true&stdin=true&stdout=true", limit.Token);
        await ReadUntilAsync(socket, "ready", limit.Token);
        await SendAsync(socket, 0, "\u0003", limit.Token);
        await ReadUntilAsync(socket, "interrupted", limit.Token);
    }

    [Fact]
    public async Task A_client_that_goes_hangs_its_terminal_up()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var mark = Path.Combine(_folder.Path, "process");
        using (var socket = await OpenAsync("exec", "command=sh&tty=true&stdin=true&stdout=true", limit.Token))
        {
            await SendAsync(socket, 0, $"echo $$ > {mark}; echo do''ne; sleep 1000\n", limit.Token);
            await ReadUntilAsync(socket, "done", limit.Token);
            socket.Abort();
        }

        var process = (await File.ReadAllTextAsync(mark, limit.Token)).Trim();
        await Eventually.True(() => Task.FromResult(!Directory.Exists($"/proc/{process}")), "the shell has gone");
    }

    [Theory(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Cp_brings_files_into_a_volume_and_out_of_it(bool webSockets)
    {
        Speak(webSockets);
        var file = _kubectl.WriteFile("notes", "kept\n");
        await _kubectl.RunAsync("cp", file, "p:/data/notes");
        Assert.Equal("kept\n", await _kubectl.RunAsync("exec", "p", "--", "cat", "/data/notes"));
        await _kubectl.RunAsync("exec", "p", "--", "mkdir", "-p", "/data/more/deep");
        await _kubectl.RunAsync("exec", "p", "--", "cp", "/data/notes", "/data/more/deep/a,b");

        var back = Path.Combine(_folder.Path, $"back-{webSockets}");
        await _kubectl.RunAsync("cp", "p:/data/notes", back);
        Assert.Equal("kept\n", await File.ReadAllTextAsync(back));
        await _kubectl.RunAsync("cp", "p:/data/more", back + "-more");
        Assert.Equal("kept\n", await File.ReadAllTextAsync(Path.Combine(back + "-more", "deep", "a,b")));
        await _kubectl.RunAsync("cp", "p:/data", back + "-all");
        Assert.Equal("kept\n", await File.ReadAllTextAsync(Path.Combine(back + "-all", "notes")));

        // What tar says of it may come too late for kubectl, which then ends with 0.
        await _kubectl.TryAsync(null, "cp", "p:/data/none", back + "-none");
        Assert.False(Path.Exists(back + "-none"));
    }

    [Theory(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Port_forward_reaches_the_pod_s_address_with_many_connections_at_once(bool webSockets)
    {
        Speak(webSockets);
        var address = (string)(await _api.GetAsync($"{Fixtures.PodsIn("default")}/p"))["status"]!["podIP"]!;
        using var echo = new TcpListener(IPAddress.Parse(address), 0);
        echo.Start();
        var port = ((IPEndPoint)echo.LocalEndpoint).Port;
        var serving = EchoAsync(echo);
        using var forward = _kubectl.Start("port-forward", "pod/p", $":{port}");
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var line = (await forward.StandardOutput.ReadLineAsync(limit.Token))!;
        var local = int.Parse(line.Split("127.0.0.1:")[1].Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);

        await Task.WhenAll(Enumerable.Range(0, 8).Select(async n =>
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, local, limit.Token);
            var sent = new byte[700_000];
            new Random(n).NextBytes(sent);
            var receiving = ReadAllAsync(client.GetStream(), limit.Token);
            await client.GetStream().WriteAsync(sent, limit.Token);
            client.Client.Shutdown(SocketShutdown.Send);
            Assert.Equal(sent, await receiving);
        }));

        echo.Stop();
        using (var refused = new TcpClient())
        {
            await refused.ConnectAsync(IPAddress.Loopback, local, limit.Token);
            Assert.Empty(await ReadAllAsync(refused.GetStream(), limit.Token));
        }

        Assert.Contains(
            $"error forwarding port {port} to pod p, uid : dial tcp {address}:{port}: connect: Connection refused",
            await ReadUntilAsync(forward.StandardError, "refused", limit.Token), StringComparison.Ordinal);
        forward.Kill();
        await forward.WaitForExitAsync(limit.Token);
        await serving;
    }

    [Fact]
    public async Task A_port_is_reached_over_a_WebSocket_of_its_own()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var address = (string)(await _api.GetAsync($"{Fixtures.PodsIn("default")}/p"))["status"]!["podIP"]!;
        using var echo = new TcpListener(IPAddress.Parse(address), 0);
        echo.Start();
        var port = ((IPEndPoint)echo.LocalEndpoint).Port;
        var serving = EchoAsync(echo);

        await Task.WhenAll(Enumerable.Range(0, 8).Select(async n =>
        {
            await using var stream = await _client.Pods.ConnectAsync("default", "p", port, limit.Token);
            var sent = new byte[700_000];
            new Random(n).NextBytes(sent);
            var received = new byte[sent.Length];
            var receiving = stream.ReadExactlyAsync(received, limit.Token);
            await stream.WriteAsync(sent, limit.Token);
            await receiving;
            Assert.Equal(sent, received);
        }));

        echo.Stop();
        await serving;
        await using var refused = await _client.Pods.ConnectAsync("default", "p", port, limit.Token);
        var error = await Assert.ThrowsAsync<IOException>(async () => await refused.ReadExactlyAsync(new byte[1], limit.Token));
        Assert.Contains($"error forwarding port {port} to pod p", error.Message, StringComparison.Ordinal);
        Assert.Contains("Connection refused", error.Message, StringComparison.Ordinal);
        var none = await Assert.ThrowsAsync<KubernetesException>(() => _client.Pods.ConnectAsync("default", "none", port, limit.Token));
        Assert.True(none.IsNotFound);
    }

    [Theory]
    [InlineData("", null)]
    [InlineData("8000", "8000")]
    [InlineData("8000,50051", "8000 50051")]
    [InlineData("0", null)]
    [InlineData("65536", null)]
    [InlineData("8000,x", null)]
    public void Ports_are_numbers(string query, string? ports) =>
        Assert.Equal(
            ports, Operator.Local.ApiServer.Routing.PortChannels.Parse([query]) is { } parsed ? string.Join(' ', parsed) : null);

    [Theory(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Attach_follows_the_output(bool webSockets)
    {
        Speak(webSockets);
        using var attach = _kubectl.Start("attach", "p");
        Assert.Equal("tick", await attach.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30)));
        attach.Kill();
        await attach.WaitForExitAsync();
    }

    [Fact]
    public async Task Attach_types_into_the_terminal_of_a_container()
    {
        await _api.CreateAsync(Fixtures.PodsIn("default"), Fixtures.Json("""
            {"metadata": {"name": "t"}, "spec": {"nodeName": "local", "restartPolicy": "Never", "terminationGracePeriodSeconds": 1,
              "containers": [{"name": "c", "image": "none:1", "stdin": true, "tty": true, "command": ["/bin/sh"]}]}}
            """));
        await RunsAsync("t");
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        using var socket = await OpenAsync("attach", "tty=true&stdin=true&stdout=true", limit.Token, pod: "t");
        await SendAsync(socket, 0, "tty; echo o''ver; exit 4\n", limit.Token);
        Assert.Matches("/dev/pts/[0-9]+", await ReadUntilAsync(socket, "over", limit.Token));
        await ReadUntilAsync(socket, "Success", limit.Token, channel: 3);
        await Eventually.True(
            async () => (int?)(await _api.GetAsync($"{Fixtures.PodsIn("default")}/t"))["status"]!["containerStatuses"]?[0]!["state"]!
                ["terminated"]?["exitCode"] == 4, "the shell has ended with its exit code");
    }

    [Fact(Skip = NoKubectl, SkipUnless = nameof(HasKubectl))]
    public async Task Attach_feeds_a_container_that_reads()
    {
        await _api.CreateAsync(Fixtures.PodsIn("default"), Fixtures.Json("""
            {"metadata": {"name": "r"}, "spec": {"nodeName": "local", "restartPolicy": "Never", "terminationGracePeriodSeconds": 1,
              "containers": [{"name": "c", "image": "none:1", "stdin": true, "stdinOnce": true, "command": ["/bin/cat"]}]}}
            """));
        await RunsAsync("r");
        Assert.Contains("typed", await _kubectl.RunWithInputAsync("typed\n", "attach", "-i", "r"), StringComparison.Ordinal);
        await Eventually.True(
            async () => (string?)(await _api.GetAsync($"{Fixtures.PodsIn("default")}/r"))["status"]!["phase"] == "Succeeded", "cat ends");
        Assert.Equal("typed\n", await _kubectl.RunAsync("logs", "r"));
    }

    private Task RunsAsync(string pod) => Eventually.True(
        async () => (string?)(await _api.GetAsync($"{Fixtures.PodsIn("default")}/{pod}"))["status"]!["phase"] == "Running", "the pod runs");

    private void Speak(bool webSockets)
    {
        _kubectl.Environment["KUBECTL_REMOTE_COMMAND_WEBSOCKETS"] = webSockets ? "true" : "false";
        _kubectl.Environment["KUBECTL_PORT_FORWARD_WEBSOCKETS"] = webSockets ? "true" : "false";
    }

    private async Task<ClientWebSocket> OpenAsync(string subresource, string query, CancellationToken cancellationToken, string pod = "p")
    {
        var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol("v5.channel.k8s.io");
        socket.Options.SetRequestHeader("Authorization", $"Bearer {_server.Token}");
        socket.Options.RemoteCertificateValidationCallback = (_, _, _, _) => true;
        var address = new UriBuilder(_server.BaseAddress)
        {
            Scheme = "wss",
            Path = $"{Fixtures.PodsIn("default")}/{pod}/{subresource}",
            Query = query,
        };
        await socket.ConnectAsync(address.Uri, cancellationToken);
        return socket;
    }

    private static Task SendAsync(
        ClientWebSocket socket, byte channel, string text, CancellationToken cancellationToken) => socket.SendAsync(
        (byte[])[channel, .. Encoding.UTF8.GetBytes(text)], WebSocketMessageType.Binary, endOfMessage: true, cancellationToken);

    private static async Task<string> ReadUntilAsync(
        ClientWebSocket socket, string end, CancellationToken cancellationToken, byte channel = 1)
    {
        var text = new StringBuilder();
        var buffer = new byte[64 * 1024];
        while (!text.ToString().Contains(end, StringComparison.Ordinal))
        {
            var received = await socket.ReceiveAsync(buffer.AsMemory(), cancellationToken);
            Assert.NotEqual(WebSocketMessageType.Close, received.MessageType);
            if (received.Count > 0 && buffer[0] == channel)
            {
                text.Append(Encoding.UTF8.GetString(buffer, 1, received.Count - 1));
            }
        }

        return text.ToString();
    }

    private static async Task<string> ReadUntilAsync(StreamReader reader, string end, CancellationToken cancellationToken)
    {
        var line = "";
        while (!line.Contains(end, StringComparison.OrdinalIgnoreCase))
        {
            line = await reader.ReadLineAsync(cancellationToken) ?? throw new EndOfStreamException(line);
        }

        return line;
    }

    private static async Task EchoAsync(TcpListener listener)
    {
        List<Task> connections = [];
        try
        {
            while (true)
            {
                var client = await listener.AcceptTcpClientAsync();
                connections.Add(Task.Run(async () =>
                {
                    using (client)
                    {
                        await client.GetStream().CopyToAsync(client.GetStream());
                    }
                }));
            }
        }
        catch (SocketException)
        {
            await Task.WhenAll(connections);
        }
    }

    private static async Task<byte[]> ReadAllAsync(Stream stream, CancellationToken cancellationToken)
    {
        using var all = new MemoryStream();
        await stream.CopyToAsync(all, cancellationToken);
        return all.ToArray();
    }
}
