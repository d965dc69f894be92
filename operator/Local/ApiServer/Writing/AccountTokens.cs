using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Local.ApiServer.Routing;
using Cluster.Operator.Local.ApiServer.Store;
using Cluster.Operator.Manifests;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Writing;

/// <summary>The token subresource of service accounts (authentication.k8s.io/v1 TokenRequest). Tokens are random texts and no JWTs: only
/// this server can read them.</summary>
internal sealed class AccountTokens(ApiState state, Authentication authentication)
{
    private const long DefaultSeconds = 3600;
    private const long LeastSeconds = 600;

    private static ResourceType RequestType { get; } = new()
    {
        Group = "authentication.k8s.io",
        Version = "v1",
        Kind = "TokenRequest",
        Plural = "tokenrequests",
    };

    /// <exception cref="ApiException">404 without such an account; 422 for a life below ten minutes.</exception>
    public JsonObject Create(ResourceType accounts, ObjectKey key, JsonNode? request)
    {
        var account = state.Require(accounts, key).Root;
        var seconds = request.Integer("spec", "expirationSeconds") ?? DefaultSeconds;
        if (seconds < LeastSeconds)
        {
            throw ApiErrors.Invalid(
                RequestType, key.Name,
                [FieldError.Invalid("spec.expirationSeconds", $"{seconds}", "may not specify a duration less than 10 minutes")]);
        }

        var until = state.Clock.GetUtcNow().AddSeconds(Math.Min(seconds, int.MaxValue));
        var audiences = request.Texts("spec", "audiences").ToList();
        return new JsonObject
        {
            ["kind"] = "TokenRequest",
            ["apiVersion"] = "authentication.k8s.io/v1",
            ["metadata"] = new JsonObject
            {
                ["name"] = key.Name,
                ["namespace"] = key.Namespace,
                ["creationTimestamp"] = state.Now,
            },
            ["spec"] = new JsonObject
            {
                ["audiences"] = new JsonArray(
                    [.. (audiences.Count == 0 ? ["https://kubernetes.default.svc"] : audiences).Select(one => (JsonNode)one)]),
                ["expirationSeconds"] = seconds,
                ["boundObjectRef"] = request.At("spec", "boundObjectRef")?.DeepClone(),
            },
            ["status"] = new JsonObject
            {
                ["token"] = authentication.Issue(Caller.ServiceAccount(key.Namespace, key.Name, account.Uid()), until),
                ["expirationTimestamp"] = ApiObject.Timestamp(until),
            },
        };
    }
}
