using Cluster.Worker.Serving.Grpc;
using Cluster.Worker.Serving.Http;
using Grpc.Core;

namespace Cluster.Worker.Serving;

/// <summary>Turns away who asks under a name that is not this server's, over HTTP and gRPC alike. Before every other layer but the log;
/// added by <see cref="WorkerServer"/>.</summary>
internal static class HostCheck
{
    public static void UseHostCheck(this IApplicationBuilder app, HostGuard guard) => app.Use(next => context =>
    {
        var request = context.Request;
        var origin = request.Headers.Origin;
        if (guard.Check(request.Host.Value ?? "", origin.Count == 0 ? null : origin.ToString()) is not { } refusal)
        {
            return next(context);
        }

        return GrpcContentType.Matches(request.ContentType)
            ? GrpcGate.RejectAsync(context, StatusCode.PermissionDenied, refusal.Message)
            : ErrorResponses.WriteAsync(
                context, new ApiException(refusal.Status, refusal.Message, "invalid_request_error", code: "misdirected_request"));
    });
}
