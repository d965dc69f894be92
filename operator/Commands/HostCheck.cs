using System.CommandLine;
using System.Net;
using Cluster.Common;

namespace Cluster.Operator.Commands;

/// <summary>Turns away who asks a listener of operator or node agent under a name that is not its own: a page that had its name resolve to
/// 127.0.0.1.</summary>
internal static class HostCheck
{
    /// <summary>The option of every command that listens.</summary>
    public static Option<string[]> Option() => new(HostGuard.Flag)
    {
        Description =
            "Further names that the listener may be asked under; *.example.com is every name below one. On a loopback address others than "
            + "localhost and the address itself are refused.",
        AllowMultipleArgumentsPerToken = true,
        HelpName = "NAME"
    };

    public static void UseHostCheck(this WebApplication app, IPAddress bound, IReadOnlyList<string> allowedHosts)
    {
        var guard = new HostGuard(bound, allowedHosts, []);
        app.Use(next => context =>
        {
            var origin = context.Request.Headers.Origin;
            if (guard.Check(context.Request.Host.Value ?? "", origin.Count == 0 ? null : origin.ToString()) is not { } refusal)
            {
                return next(context);
            }

            context.Response.StatusCode = refusal.Status;
            context.Response.ContentType = "text/plain; charset=utf-8";
            return context.Response.WriteAsync(refusal.Message);
        });
    }
}
