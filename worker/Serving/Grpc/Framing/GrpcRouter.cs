namespace Cluster.Worker.Serving.Grpc.Framing;

/// <summary>Finds the method a request calls. A middleware of its own instead of endpoint routes: paths are exact and case-sensitive, and a catch-all route
/// for unknown methods would change how HTTP routes beside it answer.</summary>
internal sealed class GrpcRouter(IEnumerable<GrpcService> services, GrpcDispatcher dispatcher)
{
    private readonly Dictionary<string, GrpcMethod> methods =
        services.SelectMany(service => service.Methods).ToDictionary(method => method.Path, StringComparer.Ordinal);

    /// <param name="next">Gets what is neither a known path nor a gRPC request.</param>
    public Task RouteAsync(HttpContext context, RequestDelegate next)
    {
        if (!methods.TryGetValue(context.Request.Path.Value ?? "", out var method))
        {
            return GrpcContentType.Matches(context.Request.ContentType) ? GrpcDispatcher.RejectUnknownAsync(context) : next(context);
        }

        if (!HttpMethods.IsPost(context.Request.Method))
        {
            context.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            context.Response.Headers.Allow = HttpMethods.Post;
            return Task.CompletedTask;
        }

        return dispatcher.DispatchAsync(context, method);
    }
}
