using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Discovery;
using Cluster.Operator.Local.ApiServer.Resources;

namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary>Paths that are not resources: discovery, OpenAPI, version, health.</summary>
internal sealed class DiscoveryEndpoint(ResourceRegistry registry)
{
    public static bool IsPublic(string path) => path is "/healthz" or "/livez" or "/readyz" or "/version";

    /// <returns>false when the path is none of these.</returns>
    public async Task<bool> TryHandleAsync(HttpContext http, string path)
    {
        if (path is "/healthz" or "/livez" or "/readyz")
        {
            var text = http.Request.Query.ContainsKey("verbose") ? $"[+]ping ok\n{path[1..]} check passed\n" : "ok";
            await Answers.WriteAsync(http, 200, System.Text.Encoding.ASCII.GetBytes(text), "text/plain; charset=utf-8");
            return true;
        }
        if (path is "/api" or "/apis" && AnswerFormat.AggregatedDiscovery(http.Request.Headers.Accept) is { } version)
        {
            var aggregated = DiscoveryDocuments.Aggregated(registry, core: path == "/api", version);
            await Answers.WriteAsync(http, 200, aggregated, $"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
            return true;
        }
        if (OpenApi(path) is { } document)
        {
            await Answers.WriteAsync(http, 200, document, Answers.Json);
            return true;
        }
        if (Document(path) is not { } answer)
        {
            return false;
        }
        await Answers.WriteAsync(http, 200, answer);
        return true;
    }

    private byte[]? OpenApi(string path) => path.Split('/', StringSplitOptions.RemoveEmptyEntries) switch
    {
        ["openapi", "v3", "api", var version] => OpenApiDocuments.Document(registry, version),
        ["openapi", "v3", "apis", var group, var version] => OpenApiDocuments.Document(registry, $"{group}/{version}"),
        _ => null,
    };

    private JsonObject? Document(string path) => path.Split('/', StringSplitOptions.RemoveEmptyEntries) switch
    {
        ["version"] => Version(),
        ["api"] => DiscoveryDocuments.Versions(),
        ["apis"] => DiscoveryDocuments.Groups(registry),
        ["api", var version] => DiscoveryDocuments.Resources(registry, "", version),
        ["apis", var group] => DiscoveryDocuments.Group(registry, group),
        ["apis", var group, var version] => DiscoveryDocuments.Resources(registry, group, version),
        ["openapi", "v3"] => OpenApiDocuments.Index(registry),
        _ => null,
    };

    private static JsonObject Version() => new()
    {
        ["major"] = KubernetesRelease.Major,
        ["minor"] = KubernetesRelease.Minor,
        ["gitVersion"] = KubernetesRelease.Version,
        ["gitCommit"] = "",
        ["gitTreeState"] = "clean",
        ["buildDate"] = "1970-01-01T00:00:00Z",
        ["goVersion"] = "",
        ["compiler"] = "dotnet",
        ["platform"] = "linux/amd64",
    };
}
