using Cluster.Operator.Controller;
using Cluster.Operator.Gateway.Admission;
using Cluster.Operator.Gateway.Http;

namespace Cluster.Operator.Gateway.Page;

/// <summary>The page at <c>/</c>: its files, which anybody may have, and what it shows and does, which is behind the gateway's keys. Called
/// by the gateway's host.</summary>
/// <remarks>Nothing on the page runs that is not in its files: no inline script, no text that is read as markup, no other origin. A page of
/// another site can neither frame it nor make it kill a replica.</remarks>
/// <param name="admit">Whose request it is; throws <see cref="GatewayException"/> when nobody's.</param>
/// <param name="killer">Null where nobody may kill.</param>
internal sealed class GatewayPage(
    ClusterWatch cluster, PageEvents events, Func<IHeaderDictionary, ApiKeyAccount> admit, IReplicaKiller? killer)
{
    /// <summary>A page of another origin cannot send it without being asked first, and nobody here says yes.</summary>
    public const string KillHeader = "x-page-request";

    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        + "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

    /// <param name="stopping">Ends the streams of open pages, so that the gateway need not wait for them.</param>
    public void Map(IEndpointRouteBuilder routes, CancellationToken stopping)
    {
        routes.MapMethods("/", ["GET", "HEAD"], context => SendFileAsync(context, PageFiles.Index));
        routes.MapMethods(
            "/page/files/{name}", ["GET", "HEAD"], context => SendFileAsync(context, (string)context.Request.RouteValues["name"]!));
        routes.MapGet("/page/events", context =>
        {
            Admit(context);
            return events.ServeAsync(context, stopping);
        });
        routes.MapPost("/page/api/replicas/{namespace}/{pod}/kill", KillAsync);
    }

    /// <exception cref="GatewayException">The key is wrong, or not one for the page, which shows everybody's requests.</exception>
    private void Admit(HttpContext context)
    {
        Guard(context.Response);
        if (admit(context.Request.Headers).Entry is { OpensPage: false } key)
        {
            throw GatewayException.Forbidden(
                $"the key '{key.Name}' is not for the page, which shows everybody's requests; it would be with 'page: true' in the "
                + "file of keys",
                "not_for_the_page");
        }
    }

    private static Task SendFileAsync(HttpContext context, string name)
    {
        Guard(context.Response);
        if (PageFiles.Find(name) is not { } file)
        {
            throw GatewayException.NotFound($"the page has no file '{name}'", "no_such_file");
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

    private Task KillAsync(HttpContext context)
    {
        Admit(context);
        var (@namespace, pod) = ((string)context.Request.RouteValues["namespace"]!, (string)context.Request.RouteValues["pod"]!);
        if (killer is null)
        {
            throw GatewayException.NotFound(
                "replicas can be killed from the page in local mode only; use kubectl delete pod", "local_mode_only");
        }

        if (Foreign(context.Request) is { } why)
        {
            throw GatewayException.Forbidden(why, "foreign_page");
        }

        return (cluster.HasReplica(new NamespacedName(@namespace, pod)) ? killer.Kill(@namespace, pod) : KillOutcome.Unknown) switch
        {
            KillOutcome.Killed => context.Response.WriteAsJsonAsync(new { Killed = $"{@namespace}/{pod}" }, PageJson.Options),
            KillOutcome.NotRunning => throw new GatewayException(
                StatusCodes.Status409Conflict, $"replica {@namespace}/{pod} has no process now: it is being started",
                "invalid_request_error", code: "not_running"),
            _ => throw GatewayException.NotFound($"no replica {@namespace}/{pod} runs here", "no_such_replica"),
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

    /// <summary>When the answer begins, so that it holds for errors too, which are written from an empty answer.</summary>
    private static void Guard(HttpResponse response) => response.OnStarting(() =>
    {
        response.Headers.ContentSecurityPolicy = Policy;
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers.XFrameOptions = "DENY";
        response.Headers["Referrer-Policy"] = "no-referrer";
        response.Headers["Cross-Origin-Opener-Policy"] = "same-origin";
        response.Headers["Cross-Origin-Resource-Policy"] = "same-origin";
        response.Headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()";
        return Task.CompletedTask;
    });
}
