
namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary>One request in the words of authorization: who did what to which resource, and what came of it (audit.k8s.io/v1 Event, the part
/// RBAC is about).</summary>
/// <param name="Verb">get, list, watch, create, update, patch, delete or deletecollection.</param>
/// <param name="Resource">The plural, with <c>/subresource</c> where there is one, as RBAC rules name it.</param>
/// <param name="Name">null for collections and for objects that the server names.</param>
internal sealed record AuditedRequest(
    string UserAgent, string Verb, string Group, string Resource, string? Namespace, string? Name, int StatusCode)
{
    /// <summary>Middleware: passes the request on and writes it down when its answer begins, which for a watch is long before it
    /// ends.</summary>
    public static Task FollowAsync(HttpContext http, RequestDelegate next, Action<AuditedRequest> write)
    {
        if (RequestPath.Parse(http.Request.Path.Value ?? "/") is { } path)
        {
            http.Response.OnStarting(() =>
            {
                var resource = path.Subresource is null ? path.Plural : $"{path.Plural}/{path.Subresource}";
                write(
                    new AuditedRequest(
                        http.Request.Headers.UserAgent.ToString(), VerbOf(http.Request, path), path.Group, resource, path.Namespace,
                        path.Name, http.Response.StatusCode));
                return Task.CompletedTask;
            });
        }
        return next(http);
    }

    private static string VerbOf(HttpRequest request, RequestPath path) => request.Method switch
    {
        "GET" when request.Query["watch"] is ["true" or "1"] => "watch",
        "GET" => path.Name is null ? "list" : "get",
        "POST" => "create",
        "PUT" => "update",
        "DELETE" => path.Name is null ? "deletecollection" : "delete",
        var method => method.ToLowerInvariant(),
    };
}
