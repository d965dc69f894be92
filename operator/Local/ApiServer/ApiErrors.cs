using System.Text.Json.Nodes;
using Cluster.Common;
using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Manifests;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer;

/// <summary>The error answers of the API, worded as apimachinery's <c>errors.New…</c> functions word them, because clients and people grep
/// for them.</summary>
internal static class ApiErrors
{
    public static ApiException NotFound(ResourceType type, string name) =>
        new(404, "NotFound", $"{type.QualifiedPlural} \"{name}\" not found", Details(type, name));

    public static ApiException NamespaceNotFound(string name) =>
        new(404, "NotFound", $"namespaces \"{name}\" not found", new JsonObject { ["name"] = name, ["kind"] = "namespaces" });

    public static ApiException NoSuchPath() =>
        new(404, "NotFound", "the server could not find the requested resource", new JsonObject());

    public static ApiException AlreadyExists(ResourceType type, string name) =>
        new(409, "AlreadyExists", $"{type.QualifiedPlural} \"{name}\" already exists", Details(type, name));

    public static ApiException Modified(ResourceType type, string name) =>
        Conflict(type, name, "the object has been modified; please apply your changes to the latest version and try again");

    public static ApiException Conflict(ResourceType type, string name, string why) =>
        new(409, "Conflict", $"Operation cannot be fulfilled on {type.QualifiedPlural} \"{name}\": {why}", Details(type, name));

    public static ApiException BadRequest(string message) => new(400, "BadRequest", message);

    public static ApiException Forbidden(ResourceType type, string name, string why) =>
        new(403, "Forbidden", $"{type.QualifiedPlural} \"{name}\" is forbidden: {why}", Details(type, name));

    public static ApiException Unauthorized() => new(401, "Unauthorized", "Unauthorized");

    public static ApiException Misdirected(HostRefusal refusal) =>
        new(refusal.Status, refusal.Status == 403 ? "Forbidden" : "MisdirectedRequest", refusal.Message);

    public static ApiException MethodNotAllowed() =>
        new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", new JsonObject());

    public static ApiException UnsupportedMediaType(string supported) =>
        new(415, "UnsupportedMediaType",
            $"the body of the request was in an unknown format - accepted media types include: {supported}");

    public static ApiException NotAcceptable(string supported) =>
        new(406, "NotAcceptable", $"only the following media types are accepted: {supported}");

    /// <summary>Without a time to come back after: clients of evictions have their own (kubectl drain: 5 seconds).</summary>
    public static ApiException DisruptionBudgetUsedUp(string budget, long desired, long current) => new(
        429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.", new JsonObject
        {
            ["causes"] = new JsonArray(new JsonObject
            {
                ["reason"] = "DisruptionBudget",
                ["message"] = current <= desired
                    ? $"The disruption budget {budget} needs {desired} healthy pods and has {current} currently"
                    : $"The disruption budget {budget} does not allow evicting pods currently",
            }),
        });

    public static ApiException TooLarge(long limitBytes) =>
        new(413, "RequestEntityTooLarge", $"Request entity too large: limit is {limitBytes}");

    /// <param name="continueToken">Continues an expired list at the newest version (api-concepts, "410 Gone").</param>
    public static ApiException Expired(string message, string? continueToken = null) =>
        new(410, "Expired", message, continueToken: continueToken);

    /// <summary>A resourceVersion from the future; the client should retry (api-concepts, "Unavailable resource versions").</summary>
    public static ApiException TooLargeVersion(long asked, long current) =>
        new(504, "Timeout", $"Too large resource version: {asked}, current: {current}", new JsonObject
        {
            ["causes"] = new JsonArray(
                new JsonObject { ["reason"] = "ResourceVersionTooLarge", ["message"] = "Too large resource version" }),
            ["retryAfterSeconds"] = 1,
        });

    public static ApiException Invalid(ResourceType type, string name, IReadOnlyList<FieldError> errors)
    {
        var details = new JsonObject { ["name"] = name };
        if (type.Group.Length > 0)
        {
            details["group"] = type.Group;
        }
        details["kind"] = type.Kind;
        details["causes"] = new JsonArray(
            [.. errors.Select(e => (JsonNode)new JsonObject { ["reason"] = e.Reason, ["message"] = e.Message, ["field"] = e.Field })]);
        return new(422, "Invalid", type.Named.InvalidText(name, errors), details);
    }

    /// <param name="patch">What the patch made of the object, or the patch, as a real server shows it.</param>
    public static ApiException InvalidPatch(string patch, string problem)
    {
        var error = FieldError.Invalid("patch", JsonText.ToText(patch), problem);
        return new(422, "Invalid", $" \"\" is invalid: {error}", new JsonObject
        {
            ["causes"] = new JsonArray(
                new JsonObject { ["reason"] = error.Reason, ["message"] = error.Message, ["field"] = error.Field }),
        });
    }

    private static JsonObject Details(ResourceType type, string name)
    {
        var details = new JsonObject { ["name"] = name };
        if (type.Group.Length > 0)
        {
            details["group"] = type.Group;
        }
        details["kind"] = type.Plural;
        return details;
    }
}
