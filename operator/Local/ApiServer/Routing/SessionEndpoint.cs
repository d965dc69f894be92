using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Writing;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary><c>pods/NAME/exec</c> and <c>pods/NAME/attach</c> over WebSockets, as kubectl has spoken them since 1.31 (<c>kubectl cp</c> is
/// <c>tar</c> by exec). What goes wrong after the upgrade is told on the error channel: before it, kubectl would try SPDY next and show the
/// refusal of that.</summary>
internal sealed class SessionEndpoint(ApiState state, IPodSessions? sessions, IPodLogSource? logs, CancellationToken stopping)
{
    // Closed before the client has, the connection would be reset, and what the client has not read yet be lost.
    private static readonly TimeSpan FarewellLimit = TimeSpan.FromSeconds(5);

    /// <returns>false when this is none of these subresources.</returns>
    public async Task<bool> TryHandleAsync(ApiCall call)
    {
        if (call.Type is not { Group: "", Plural: "pods" } || call.Path.Subresource is not ("exec" or "attach" or "portforward"))
        {
            return false;
        }

        var pod = state.Require(call.Type, call.Key).Root;
        if (call.Path.Subresource == "portforward")
        {
            throw ApiErrors.BadRequest(
                "local mode does not forward ports: a pod's ports are open on this machine already, those of "
                + $"{pod.Name()} at {pod.Text("status", "podIP") ?? "its podIP, once it runs"}");
        }

        var requests = call.Http.WebSockets;
        if (!requests.IsWebSocketRequest || !requests.WebSocketRequestedProtocols.Contains(RemoteChannels.Protocol))
        {
            throw ApiErrors.BadRequest(
                $"local mode speaks {call.Path.Subresource} as {RemoteChannels.Protocol} over WebSockets and not SPDY: use kubectl 1.31 or "
                + "newer, without KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false");
        }

        using var channels = new RemoteChannels(await requests.AcceptWebSocketAsync(RemoteChannels.Protocol));
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(call.Aborted, stopping);
        var client = EndWithClientAsync(channels, ending);
        try
        {
            await channels.FinishAsync(JsonText.Serialize(await RunAsync(call, pod, channels, ending.Token)), ending.Token);
            await Task.WhenAny(client, Task.Delay(FarewellLimit, ending.Token));
        }
        catch (Exception error) when (error is OperationCanceledException or System.Net.WebSockets.WebSocketException)
        {
            // The client went or the server stops.
        }

        await ending.CancelAsync();
        await client;
        return true;
    }

    private static async Task EndWithClientAsync(RemoteChannels channels, CancellationTokenSource ending)
    {
        try
        {
            await channels.ReceiveAsync(ending.Token);
            await ending.CancelAsync();
        }
        catch (OperationCanceledException)
        {
            // It has ended here first.
        }
    }

    /// <returns>The Status for the error channel.</returns>
    private async Task<JsonObject> RunAsync(ApiCall call, JsonObject pod, RemoteChannels channels, CancellationToken cancellationToken)
    {
        try
        {
            if (call.Flag("tty"))
            {
                throw ApiErrors.BadRequest("local mode has no terminals: leave out -t");
            }

            var container = Container(call, pod);
            var streams = new SessionStreams(
                call.Flag("stdin") ? channels.InputStream : null,
                call.Flag("stdout") ? channels.Writer(RemoteChannels.Output) : null,
                call.Flag("stderr") ? channels.Writer(RemoteChannels.ErrorOutput) : null);
            if (call.Path.Subresource == "attach")
            {
                var follow = new PodLogOptions(
                    Follow: true, Previous: false, Timestamps: false, TailLines: 0, Since: null, LimitBytes: null);
                await (logs ?? throw NoNode(pod)).WriteLogAsync(
                    pod.Namespace(), pod.Name(), container, follow, streams.Output ?? Stream.Null, cancellationToken);
                return Success();
            }

            var command = call.Http.Request.Query["command"].OfType<string>().ToList();
            var code = command.Count == 0
                ? throw ApiErrors.BadRequest("you must specify at least one command for the container")
                : await (sessions ?? throw NoNode(pod)).ExecAsync(
                    pod.Namespace(), pod.Name(), container, command, streams, cancellationToken);
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
