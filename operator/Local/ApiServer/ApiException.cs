using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer;

/// <summary>An error answer: becomes a <c>Status</c> object of kind <c>v1</c> with this HTTP code. Made by <see cref="ApiErrors"/>, written
/// by <see cref="Routing.ApiRequestHandler"/>.</summary>
/// <param name="continueToken">Where an expired list can be taken up again, inconsistently; null elsewhere.</param>
internal sealed class ApiException(int code, string reason, string message, JsonObject? details = null, string? continueToken = null)
    : Exception(message)
{
    public int Code { get; } = code;

    public string Reason { get; } = reason;

    /// <summary>When the client should try again by itself; null when it should not.</summary>
    public long? RetryAfterSeconds { get; } = details.Integer("retryAfterSeconds");

    /// <summary>The body a real server sends (api-concepts, "Status").</summary>
    public JsonObject ToStatus()
    {
        var status = new JsonObject
        {
            ["kind"] = "Status",
            ["apiVersion"] = "v1",
            ["metadata"] = continueToken is null ? new JsonObject() : new JsonObject { ["continue"] = continueToken },
            ["status"] = "Failure",
            ["message"] = Message,
            ["reason"] = Reason,
        };
        if (details is not null)
        {
            status["details"] = details.DeepClone();
        }
        status["code"] = Code;
        return status;
    }
}
