using System.Net.Sockets;
using System.Text.Json.Nodes;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Local.ApiServer.Spdy;
using Cluster.Operator.Local.ApiServer.Writing;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary><c>pods/NAME/exec</c>, <c>attach</c> and <c>portforward</c>, over WebSockets, as kubectl speaks them since 1.31, and over
/// SPDY/3.1, which older ones speak (<c>kubectl cp</c> is <c>tar</c> by exec). What goes wrong after the upgrade is told on the error
/// stream.</summary>
internal sealed class SessionEndpoint(ApiState state, IPodSessions? sessions, CancellationToken stopping)
{
    private const string Spdy = "SPDY/3.1";
    private const string StreamProtocol = "X-Stream-Protocol-Version";

    // Closed before the client has, the connection would be reset, and what the client has not read yet be lost.
    private static readonly TimeSpan FarewellLimit = TimeSpan.FromSeconds(5);

    /// <returns>false when this is none of these subresources.</returns>
    public async Task<bool> TryHandleAsync(ApiCall call)
    {
        if (call.Type is not { Group: "", Plural: "pods" } || call.Path.Subresource is not ("exec" or "attach" or "portforward"))
        {
            return false;
        }

        if (call.Http.Request.Method is not ("GET" or "POST"))
        {
            throw ApiErrors.MethodNotAllowed();
        }

        var pod = state.Require(call.Type, call.Key).Root;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(call.Aborted, stopping);
        try
        {
            await (call.Path.Subresource == "portforward"
                ? ForwardAsync(call, pod, ending.Token)
                : ConverseAsync(call, pod, ending));
        }
        catch (Exception error) when (error is OperationCanceledException or IOException or System.Net.WebSockets.WebSocketException
            or SpdyException)
        {
            // The client went or broke the protocol, or the server stops.
        }

        return true;
    }

    private async Task ForwardAsync(ApiCall call, JsonObject pod, CancellationToken cancellationToken)
    {
        Task<Socket> ConnectAsync(int port, CancellationToken cancelled) =>
            (sessions ?? throw new IOException(NoNode(pod).Message)).ConnectAsync(pod.Namespace(), pod.Name(), port, cancelled);

        var requests = call.Http.WebSockets;
        if (requests.IsWebSocketRequest && requests.WebSocketRequestedProtocols.Contains(PodStreams.PortForwardProtocol))
        {
            // Before the upgrade, as a real server.
            var ports = PortChannels.Parse(call.Http.Request.Query["ports"])
                ?? throw ApiErrors.BadRequest("query parameter \"ports\" must name the ports to forward");
            using var socket = await requests.AcceptWebSocketAsync(PodStreams.PortForwardProtocol);
            await new PortChannels(socket, pod.Name(), ports, ConnectAsync).RunAsync(cancellationToken);
            return;
        }

        await using var transport = await OpenTunnelAsync(call);
        using var connection = new SpdyConnection(transport);
        await new PortForwarding(connection, pod.Name(), ConnectAsync).RunAsync(cancellationToken);
    }

    private static async Task<Stream> OpenTunnelAsync(ApiCall call)
    {
        var requests = call.Http.WebSockets;
        if (!requests.IsWebSocketRequest)
        {
            return await UpgradeAsync(call, PortForwarding.Protocol);
        }

        return requests.WebSocketRequestedProtocols.Contains(PortForwarding.TunnelProtocol)
            ? await TunnelHandshake.AcceptAsync(call.Http, PortForwarding.TunnelProtocol)
            : throw NoCommonProtocol(
                requests.WebSocketRequestedProtocols, PortForwarding.TunnelProtocol, PodStreams.PortForwardProtocol);
    }

    private async Task ConverseAsync(ApiCall call, JsonObject pod, CancellationTokenSource ending)
    {
        // Before the upgrade, as a real server: kubectl then shows the Status.
        var container = Container(call, pod);
        if (call.Path.Subresource == "exec" && call.Query("command") is null)
        {
            throw ApiErrors.BadRequest("you must specify at least one command for the container");
        }

        await using var channels = await OpenChannelsAsync(call, ending.Token);
        var client = EndWithClientAsync(channels, ending);
        try
        {
            await channels.FinishAsync(JsonText.Serialize(await RunAsync(call, pod, container, channels, ending.Token)), ending.Token);
            await Task.WhenAny(client, Task.Delay(FarewellLimit, ending.Token));
        }
        finally
        {
            await ending.CancelAsync();
            await client;
        }
    }

    private static async Task<ISessionChannels> OpenChannelsAsync(ApiCall call, CancellationToken cancellationToken)
    {
        var requests = call.Http.WebSockets;
        if (requests.IsWebSocketRequest)
        {
            var protocol = requests.WebSocketRequestedProtocols.FirstOrDefault(RemoteChannels.Protocols.Contains)
                ?? throw NoCommonProtocol(requests.WebSocketRequestedProtocols, RemoteChannels.Protocols);
            return new RemoteChannels(await requests.AcceptWebSocketAsync(protocol), call.Flag("tty"));
        }

        var transport = await UpgradeAsync(call, SpdyChannels.Protocol);
        string[] types = ["error", .. Types(call)];
        return await SpdyChannels.OpenAsync(transport, types, cancellationToken);
    }

    private static IEnumerable<string> Types(ApiCall call)
    {
        var hasTerminal = call.Flag("tty");
        (string Type, bool Is)[] types = [
            ("stdin", call.Flag("stdin")), ("stdout", call.Flag("stdout")), ("stderr", call.Flag("stderr") && !hasTerminal),
            ("resize", hasTerminal)];
        return types.Where(stream => stream.Is).Select(stream => stream.Type);
    }

    /// <summary>Makes a byte stream of the connection (k8s.io/apimachinery/pkg/util/httpstream).</summary>
    private static async Task<Stream> UpgradeAsync(ApiCall call, string protocol)
    {
        var headers = call.Http.Request.Headers;
        var feature = call.Http.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpUpgradeFeature>();
        if (feature is not { IsUpgradableRequest: true }
            || !string.Equals(headers.Upgrade.ToString(), Spdy, StringComparison.OrdinalIgnoreCase))
        {
            throw ApiErrors.BadRequest("Upgrade request required");
        }

        var wanted = headers[StreamProtocol].OfType<string>().SelectMany(value => value.Split(',')).Select(value => value.Trim()).ToList();
        if (!wanted.Contains(protocol))
        {
            throw NoCommonProtocol(wanted, protocol);
        }

        call.Http.Response.Headers.Upgrade = Spdy;
        call.Http.Response.Headers[StreamProtocol] = protocol;
        return await feature.UpgradeAsync();
    }

    private static ApiException NoCommonProtocol(IEnumerable<string> wanted, params string[] spoken) => new(
        403, "Forbidden",
        $"unable to upgrade: unable to negotiate protocol: client supports [{string.Join(' ', wanted)}], server accepts "
        + $"[{string.Join(' ', spoken)}]");

    private static async Task EndWithClientAsync(ISessionChannels channels, CancellationTokenSource ending)
    {
        try
        {
            await channels.ReceiveAsync(ending.Token);
        }
        catch (Exception error) when (error is OperationCanceledException or IOException or SpdyException)
        {
            // It has ended here first, or the client speaks something else.
        }

        await ending.CancelAsync();
    }

    /// <returns>The Status for the error stream.</returns>
    private async Task<JsonObject> RunAsync(
        ApiCall call, JsonObject pod, string container, ISessionChannels channels, CancellationToken cancellationToken)
    {
        try
        {
            var hasTerminal = call.Flag("tty");
            var streams = new SessionStreams(
                call.Flag("stdin") ? channels.Input : null,
                call.Flag("stdout") ? channels.Output : null,
                call.Flag("stderr") && !hasTerminal ? channels.Error : null)
            {
                Terminal = hasTerminal ? TerminalSizes.ReadAsync(channels.Sizes, cancellationToken) : null,
            };
            var node = sessions ?? throw NoNode(pod);
            if (call.Path.Subresource == "attach")
            {
                await node.AttachAsync(pod.Namespace(), pod.Name(), container, streams, cancellationToken);
                return Success();
            }

            var command = call.Http.Request.Query["command"].OfType<string>().ToList();
            var code = await node.ExecAsync(pod.Namespace(), pod.Name(), container, command, streams, cancellationToken);
            return code == 0 ? Success() : Exited(code);
        }
        catch (ApiException error)
        {
            return error.ToStatus();
        }
    }

    private static string Container(ApiCall call, JsonObject pod)
    {
        var names = pod.Items("spec", "containers").Select(container => container.Text("name") ?? "").ToList();
        var wanted = call.Query("container") ?? names[0];
        return names.Contains(wanted) ? wanted : throw ApiErrors.BadRequest($"container {wanted} is not valid for pod {pod.Name()}");
    }

    private static ApiException NoNode(JsonObject pod) =>
        ApiErrors.BadRequest($"pod {pod.Name()} does not run: this server has no node");

    private static JsonObject Success() => new() { ["metadata"] = new JsonObject(), ["status"] = "Success" };

    // k8s.io/apimachinery/pkg/util/remotecommand, NonZeroExitCodeReason
    private static JsonObject Exited(int code) => new()
    {
        ["metadata"] = new JsonObject(),
        ["status"] = "Failure",
        ["message"] = $"command terminated with non-zero exit code: exit status {code}",
        ["reason"] = "NonZeroExitCode",
        ["details"] = new JsonObject
        {
            ["causes"] = new JsonArray(new JsonObject { ["reason"] = "ExitCode", ["message"] = $"{code}" }),
        },
    };
}
