using System.Text;
using Cluster.Operator.Gateway.Http;

namespace Cluster.Operator.Gateway.Relay;

/// <summary>Ends of answers over HTTP.</summary>
internal static class ClientAnswer
{
    private static readonly byte[] Done = "data: [DONE]\n\n"u8.ToArray();

    /// <summary>The client is told, in the form that its answer has by now.</summary>
    public static async Task GiveUpAsync(HttpContext context, UpstreamAnswer? answer, GatewayException error)
    {
        if (!context.Response.HasStarted)
        {
            await (answer is null ? GatewayErrors.WriteAsync(context, error) : WriteAsync(context, answer));
            return;
        }

        var writer = context.Response.BodyWriter;
        var text = GatewayErrors.Body(context.Request.Path, error);
        if (context.Response.ContentType?.StartsWith("text/event-stream", StringComparison.Ordinal) == true)
        {
            await writer.WriteAsync(Encoding.UTF8.GetBytes($"data: {text}\n\n"), context.RequestAborted);
            if (EndsWithDone(context))
            {
                await writer.WriteAsync(Done, context.RequestAborted);
            }
        }
        else
        {
            await writer.WriteAsync(Encoding.UTF8.GetBytes(text + "\n"), context.RequestAborted);
        }
    }

    /// <summary>OpenAI's streams have a last event; in others the end of the body is the end.</summary>
    public static bool EndsWithDone(HttpContext context) => context.Request.Path.StartsWithSegments("/v1");

    /// <summary>A worker's answer in one piece.</summary>
    public static async Task WriteAsync(HttpContext context, UpstreamAnswer answer)
    {
        context.Response.StatusCode = answer.Status;
        context.Response.ContentType = answer.ContentType;
        context.Response.ContentLength = answer.Body.Length;
        if (answer.RetryAfter is not null)
        {
            context.Response.Headers.RetryAfter = answer.RetryAfter;
        }

        await context.Response.Body.WriteAsync(answer.Body, context.RequestAborted);
    }
}
