using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary>Writes whole JSON answers.</summary>
internal static class Answers
{
    public const string Json = "application/json";

    public static Task WriteAsync(HttpContext http, int status, JsonNode answer, string contentType = Json) =>
        WriteAsync(http, status, JsonText.Serialize(answer), contentType);

    public static async Task WriteAsync(HttpContext http, int status, byte[] body, string contentType)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = contentType;
        http.Response.ContentLength = body.Length;
        await http.Response.Body.WriteAsync(body, http.RequestAborted);
    }

    public static Task WriteErrorAsync(HttpContext http, ApiException error)
    {
        if (error.RetryAfterSeconds is { } seconds)
        {
            http.Response.Headers.RetryAfter = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        }
        return WriteAsync(http, error.Code, error.ToStatus());
    }
}
