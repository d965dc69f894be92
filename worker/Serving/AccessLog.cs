namespace Cluster.Worker.Serving;

/// <summary>Gives every request an id that its caller can quote: the caller's own <c>X-Request-Id</c>, or a new one. It comes back with the
/// answer and stands in the access log (level Debug). The outermost middleware of <see cref="WorkerServer"/>.</summary>
internal sealed partial class AccessLog(TimeProvider time, ILogger<AccessLog> logger)
{
    private const string Header = "X-Request-Id";
    private const int MaxLength = 128;

    public async Task RunAsync(HttpContext context, RequestDelegate next)
    {
        var id = GivenId(context) ?? Guid.NewGuid().ToString("N");

        // At the last moment, since an error answer clears the headers prepared before it.
        context.Response.OnStarting(() =>
        {
            context.Response.Headers[Header] = id;
            return Task.CompletedTask;
        });
        var start = time.GetTimestamp();
        try
        {
            await next(context);
        }
        finally
        {
            LogRequest(
                context.Request.Method, context.Request.Path, context.Response.StatusCode, time.GetElapsedTime(start).TotalMilliseconds,
                id);
        }
    }

    /// <summary>The caller's own id; null where it gave none, or one that is of no use.</summary>
    public static string? GivenId(HttpContext context) =>
        context.Request.Headers[Header].ToString() is var given && IsUsable(given) ? given : null;

    /// <summary>What may go into a header and a line of the log unchanged.</summary>
    private static bool IsUsable(string id) => id.Length is > 0 and <= MaxLength && id.All(character => character is > ' ' and <= '~');

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Method} {Path} {Status} in {Milliseconds:F1} ms, request {Id}")]
    private partial void LogRequest(string method, PathString path, int status, double milliseconds, string id);
}
