using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Writing;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary>Subresources that are not a part of the object itself: scale, log, binding, eviction.</summary>
internal sealed class SubresourceEndpoint(
    ApiState state, ObjectUpdate update, PodOperations pods, AccountTokens tokens, IPodLogSource? logs, long bodyLimitBytes,
    CancellationToken stopping)
{
    /// <returns>false when the kind has no such subresource or it has no such verb.</returns>
    public async Task<bool> TryHandleAsync(ApiCall call)
    {
        var method = call.Http.Request.Method;
        var isPod = call.Type is { Group: "", Plural: "pods" };
        switch (call.Path.Subresource)
        {
            case "scale" when call.Type.Scale is not null && HttpMethods.IsGet(method):
                await Answers.WriteAsync(call.Http, 200, ScaleView.Of(state.Require(call.Type, call.Key).Root, call.Type));
                return true;
            case "scale" when call.Type.Scale is not null && (HttpMethods.IsPut(method) || HttpMethods.IsPatch(method)):
                await WriteScaleAsync(call, HttpMethods.IsPatch(method));
                return true;
            case "log" when isPod && HttpMethods.IsGet(method):
                await WriteLogAsync(call);
                return true;
            case "binding" when isPod && HttpMethods.IsPost(method):
                var binding = await RequestBody.ReadAsync(call.Http, bodyLimitBytes);
                pods.Bind(call.Type, call.Key, binding.Value, call.WriteOptions(binding));
                await Answers.WriteAsync(call.Http, 201, SuccessStatus());
                return true;
            case "eviction" when isPod && HttpMethods.IsPost(method):
                var eviction = await RequestBody.ReadAsync(call.Http, bodyLimitBytes);
                pods.Evict(call.Type, call.Key, eviction.Value, call.WriteOptions(eviction).DryRun);
                await Answers.WriteAsync(call.Http, 201, SuccessStatus());
                return true;
            case "token" when call.Type is { Group: "", Plural: "serviceaccounts" } && HttpMethods.IsPost(method):
                var request = await RequestBody.ReadAsync(call.Http, bodyLimitBytes);
                await Answers.WriteAsync(call.Http, 201, tokens.Create(call.Type, call.Key, request.Value));
                return true;
            default:
                return false;
        }
    }

    private async Task WriteScaleAsync(ApiCall call, bool isPatch)
    {
        var body = await RequestBody.ReadAsync(call.Http, bodyLimitBytes);
        var options = call.WriteOptions(body);
        JsonObject Change(JsonObject live) => ScaleView.Put(
            live,
            isPatch ? ObjectPatch.Patched(ScaleView.Of(live, call.Type), body.MediaType, body.Value, call.Type) : body.Value,
            call.Type);
        var written = update.Update(call.Type, call.Key, "scale", Change, options);
        await Answers.WriteAsync(call.Http, 200, ScaleView.Of(written, call.Type));
    }

    private async Task WriteLogAsync(ApiCall call)
    {
        var pod = state.Require(call.Type, call.Key).Root;
        var names = pod.Items("spec", "initContainers").Concat(pod.Items("spec", "containers")).Select(c => c.Text("name") ?? "").ToList();
        var container = call.Query("container") ?? (names.Count == 1
            ? names[0]
            : throw ApiErrors.BadRequest(
                $"a container name must be specified for pod {pod.Name()}, choose one of: [{string.Join(' ', names)}]"));
        if (!names.Contains(container))
        {
            throw ApiErrors.BadRequest($"container {container} is not valid for pod {pod.Name()}");
        }
        if (logs is null)
        {
            throw ApiErrors.BadRequest($"container \"{container}\" in pod \"{pod.Name()}\" has no log: this server has no node");
        }
        var since = long.TryParse(call.Query("sinceSeconds"), out var seconds) ? Before(state.Clock.GetUtcNow(), seconds)
            : DateTimeOffset.TryParse(call.Query("sinceTime"), out var time) ? time
            : (DateTimeOffset?)null;
        var options = new PodLogOptions(
            call.Flag("follow"),
            call.Flag("previous"),
            call.Flag("timestamps"),
            long.TryParse(call.Query("tailLines"), out var lines) && lines >= 0 ? lines : null,
            since,
            long.TryParse(call.Query("limitBytes"), out var limit) && limit > 0 ? limit : null);
        call.Http.Response.ContentType = "text/plain";
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(call.Aborted, stopping);
        try
        {
            await logs.WriteLogAsync(pod.Namespace(), pod.Name(), container, options, call.Http.Response.Body, ending.Token);
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            // A followed log ends with its reader or with the server.
        }
    }

    /// <returns>Null, which is all, where so long ago there was no time.</returns>
    private static DateTimeOffset? Before(DateTimeOffset now, long seconds) =>
        seconds < 1 ? throw ApiErrors.BadRequest($"sinceSeconds: Invalid value: {seconds}: must be greater than 0")
        : seconds < (now - DateTimeOffset.MinValue).TotalSeconds ? now.AddSeconds(-seconds)
        : null;

    private static JsonObject SuccessStatus() =>
        new() { ["kind"] = "Status", ["apiVersion"] = "v1", ["metadata"] = new JsonObject(), ["status"] = "Success", ["code"] = 201 };
}
