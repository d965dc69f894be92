using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Writing;

/// <summary>The checks every written object passes: those of <see cref="ObjectChecks"/>, and the kind's own.</summary>
internal static class Admission
{
    /// <summary>The body must be an object of the kind the path names.</summary>
    public static JsonObject RequireKind(JsonNode? body, ResourceType type) =>
        ObjectChecks.KindProblem(body, type.Named) is { } problem ? throw ApiErrors.BadRequest(problem) : (JsonObject)body!;

    /// <summary>Reads a body as the kind: without nulls and fields that the kind does not have.</summary>
    /// <param name="body">Changed in place.</param>
    /// <exception cref="ApiException">400 for another kind, and for unknown or duplicate fields under Strict.</exception>
    public static JsonObject Decode(JsonNode? body, ResourceType type, WriteOptions options)
    {
        var value = RequireKind(body, type);
        List<string> complaints = [
            .. ObjectChecks.Prune(value, type.Schema), .. StatusFields.Prune(value, type).Select(field => $"unknown field \"{field}\""),
            .. options.DuplicateFields.Select(field => $"duplicate field \"{field}\"")];
        if (complaints.Count > 0 && options.Validation == FieldValidation.Strict)
        {
            throw ApiErrors.BadRequest(ObjectChecks.StrictDecodingProblem(type.Named, complaints));
        }

        if (options.Validation == FieldValidation.Warn)
        {
            options.Warnings.AddRange(complaints);
        }

        return value;
    }

    /// <summary>Defaults and validates in place.</summary>
    /// <exception cref="ApiException">422 for an invalid object.</exception>
    public static void Admit(ResourceType type, JsonObject value, JsonObject? old, string? subresource, WriteOptions options)
    {
        var errors = ObjectChecks.Validate(value, old, type.Named, type.Schema, options.Warnings);
        errors.AddRange(type.Strategy.Validate(value, old, subresource));
        if (errors.Count > 0)
        {
            throw ApiErrors.Invalid(type, value.Name(), errors);
        }
    }
}
