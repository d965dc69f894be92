using Cluster.Operator.Controller;

namespace Cluster.Operator.Gateway.Page;

/// <summary>The page at <c>/</c>: its files, which anybody may have, and what it shows and does, which is behind the gateway's keys
/// (<see cref="IsOpen"/> tells which is which). Called by the gateway's host.</summary>
/// <remarks>Nothing on the page runs that is not in its files: no inline script, no text that is read as markup, no other origin. A page of
/// another site can neither frame it nor make it kill a replica.</remarks>
internal static class GatewayPage
{
    /// <summary>A page of another origin cannot send it without being asked first, and nobody here says yes.</summary>
    public const string KillHeader = "x-cluster-page";

    private const string Root = "/";
    private const string FilePrefix = "/page/files/";

    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        + "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

    /// <summary>Whether a path needs no key: it holds what is in the program, and nothing of the cluster.</summary>
    public static bool IsOpen(PathString path) =>
        path.Value == Root || path.Value?.StartsWith(FilePrefix, StringComparison.Ordinal) == true;

    /// <param name="killer">Null where nobody may kill.</param>
    public static void Map(
        IEndpointRouteBuilder routes, ClusterWatch cluster, PageEvents events, IReplicaKiller? killer, CancellationToken stopping)
    {
        routes.MapMethods(Root, ["GET", "HEAD"], context => SendFileAsync(context, PageFiles.Index));
        routes.MapMethods(
            FilePrefix + "{name}", ["GET", "HEAD"], context => SendFileAsync(context, (string)context.Request.RouteValues["name"]!));
        routes.MapGet("/page/events", context =>
        {
            Guard(context.Response);
            return events.ServeAsync(context, stopping);
        });
        routes.MapPost("/page/api/replicas/{namespace}/{pod}/kill", context => KillAsync(context, cluster, killer));
    }

    private static Task SendFileAsync(HttpContext context, string name)
    {
        Guard(context.Response);
        if (PageFiles.Find(name) is not { } file)
        {
            return PageErrors.WriteAsync(context, StatusCodes.Status404NotFound, $"the page has no file '{name}'");
        }

        context.Response.Headers.ETag = file.Tag;
        context.Response.Headers.CacheControl = "no-cache";
        if (context.Request.Headers.IfNoneMatch == file.Tag)
        {
            context.Response.StatusCode = StatusCodes.Status304NotModified;
            return Task.CompletedTask;
        }

        context.Response.ContentType = file.ContentType;
        context.Response.ContentLength = file.Content.Length;
        return HttpMethods.IsHead(context.Request.Method)
            ? Task.CompletedTask
            : context.Response.Body.WriteAsync(file.Content, context.RequestAborted).AsTask();
    }

    private static Task KillAsync(HttpContext context, ClusterWatch cluster, IReplicaKiller? killer)
    {
        Guard(context.Response);
        var (@namespace, pod) = ((string)context.Request.RouteValues["namespace"]!, (string)context.Request.RouteValues["pod"]!);
        if (killer is null)
        {
            return PageErrors.WriteAsync(
                context, StatusCodes.Status404NotFound, "replicas can be killed from the page in local mode only; use kubectl delete pod");
        }

        if (Foreign(context.Request) is { } why)
        {
            return PageErrors.WriteAsync(context, StatusCodes.Status403Forbidden, why);
        }

        var outcome = cluster.HasReplica(new NamespacedName(@namespace, pod)) ? killer.Kill(@namespace, pod) : KillOutcome.Unknown;
        return outcome switch
        {
            KillOutcome.Killed => context.Response.WriteAsJsonAsync(new { Killed = $"{@namespace}/{pod}" }, PageJson.Options),
            KillOutcome.NotRunning => PageErrors.WriteAsync(
                context, StatusCodes.Status409Conflict, $"replica {@namespace}/{pod} has no process now: it is being started"),
            _ => PageErrors.WriteAsync(context, StatusCodes.Status404NotFound, $"no replica {@namespace}/{pod} runs here"),
        };
    }

    /// <returns>Why the request is none of our page's; null when it is.</returns>
    private static string? Foreign(HttpRequest request)
    {
        var origin = request.Headers.Origin.ToString();
        return origin.Length > 0 && !string.Equals(origin, $"{request.Scheme}://{request.Host}", StringComparison.OrdinalIgnoreCase)
            ? $"pages of '{origin}' kill nothing here"
            : request.Headers["Sec-Fetch-Site"].ToString() is not ("" or "same-origin" or "none") and var site
            ? $"Sec-Fetch-Site is '{site}': only the page of this gateway kills a replica"
            : request.Headers[KillHeader].Count == 0
            ? $"the header {KillHeader} is missing, by which the page shows that it is no other site's"
            : null;
    }

    private static void Guard(HttpResponse response)
    {
        response.Headers.ContentSecurityPolicy = Policy;
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers.XFrameOptions = "DENY";
        response.Headers["Referrer-Policy"] = "no-referrer";
        response.Headers["Cross-Origin-Opener-Policy"] = "same-origin";
        response.Headers["Cross-Origin-Resource-Policy"] = "same-origin";
        response.Headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()";
    }
}
