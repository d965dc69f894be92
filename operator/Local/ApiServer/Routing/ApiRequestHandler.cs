using System.Net;
using Cluster.Common;
using Cluster.Operator.Local.ApiServer.Discovery;
using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Local.ApiServer.Writing;

namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary>Every request: authenticates it, finds what it is about, and turns errors into Status answers. Called by Kestrel through
/// <see cref="LocalApiServer"/>.</summary>
internal sealed class ApiRequestHandler(
    ResourceRegistry registry, Authentication authentication, DiscoveryEndpoint discovery, ReadEndpoint read, WatchEndpoint watch,
    WriteEndpoint write, SubresourceEndpoint subresources, SessionEndpoint sessions, IReadOnlyList<string> allowedHosts)
{
    private readonly HostGuard _hosts = new(IPAddress.Loopback, allowedHosts, []);

    public async Task HandleAsync(HttpContext http)
    {
        try
        {
            await RouteAsync(http);
        }
        catch (ApiException error) when (!http.Response.HasStarted)
        {
            await Answers.WriteErrorAsync(http, error);
        }
        catch (BadHttpRequestException error) when (!http.Response.HasStarted)
        {
            await Answers.WriteErrorAsync(
                http, new ApiException(error.StatusCode, error.StatusCode == 413 ? "RequestEntityTooLarge" : "BadRequest", error.Message));
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // Nobody is left to answer.
        }
        catch (Exception error) when (!http.Response.HasStarted)
        {
            await Answers.WriteErrorAsync(
                http, new ApiException(500, "InternalError", $"Internal error occurred: {error.GetType().Name}: {error.Message}"));
        }
    }

    private async Task RouteAsync(HttpContext http)
    {
        var origin = http.Request.Headers.Origin;
        if (_hosts.Check(http.Request.Host.Value ?? "", origin.Count == 0 ? null : origin.ToString()) is { } refusal)
        {
            throw ApiErrors.Misdirected(refusal);
        }

        var path = http.Request.Path.Value ?? "/";
        var caller = DiscoveryEndpoint.IsPublic(path) ? Caller.Administrator : authentication.Require(http);
        if (HttpMethods.IsGet(http.Request.Method) && await discovery.TryHandleAsync(http, path))
        {
            return;
        }
        var parsed = RequestPath.Parse(path) ?? throw ApiErrors.NoSuchPath();
        var type = registry.Find(parsed.Group, parsed.Version, parsed.Plural) ?? throw ApiErrors.NoSuchPath();
        if ((!type.Namespaced && parsed.Namespace is not null) || (type.Namespaced && parsed.Namespace is null && parsed.Name is not null))
        {
            throw ApiErrors.NoSuchPath();
        }
        var call = new ApiCall(http, parsed, type, caller);
        if (parsed.Subresource is null or "status" or "scale")
        {
            // Asked before anything is done: an answer that the client cannot read comes too late after a write.
            _ = call.Form;
        }
        await (parsed switch
        {
            { Subresource: not null } => SubresourceAsync(call),
            { Name: not null } => ObjectAsync(call),
            _ => CollectionAsync(call),
        });
    }

    private Task CollectionAsync(ApiCall call) => call.Http.Request.Method switch
    {
        "POST" => write.CreateAsync(call),
        _ when call.Type.IsReview => throw ApiErrors.MethodNotAllowed(),
        "GET" => call.Flag("watch") ? watch.WatchAsync(call) : read.ListAsync(call),
        "DELETE" when call.Type.Namespaced == call.Path.Namespace is not null => write.DeleteCollectionAsync(call),
        _ => throw ApiErrors.MethodNotAllowed(),
    };

    private Task ObjectAsync(ApiCall call) => call.Http.Request.Method switch
    {
        _ when call.Type.IsReview => throw ApiErrors.MethodNotAllowed(),
        "GET" => call.Flag("watch") ? watch.WatchAsync(call) : read.GetAsync(call),
        "PUT" => write.UpdateAsync(call),
        "PATCH" => write.PatchAsync(call),
        "DELETE" => write.DeleteAsync(call),
        _ => throw ApiErrors.MethodNotAllowed(),
    };

    private async Task SubresourceAsync(ApiCall call)
    {
        if (await sessions.TryHandleAsync(call) || await subresources.TryHandleAsync(call))
        {
            return;
        }
        if (!Subresource.Of(call.Type).Any(sub => sub.Name == call.Path.Subresource))
        {
            throw ApiErrors.NoSuchPath();
        }
        await (call.Http.Request.Method switch
        {
            "GET" when call.Path.Subresource == "status" => read.GetAsync(call),
            "PUT" when call.Path.Subresource is "status" or "finalize" => write.UpdateAsync(call),
            "PATCH" when call.Path.Subresource == "status" => write.PatchAsync(call),
            _ => throw ApiErrors.MethodNotAllowed(),
        });
    }
}
