using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Fields;
using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Writing;

/// <summary>The checks every written object passes: those of <see cref="ObjectChecks"/>, and the kind's own.</summary>
internal static class Admission
{
    /// <summary>The body must be an object of the kind the path names.</summary>
    public static JsonObject RequireKind(JsonNode? body, ResourceType type) =>
        ObjectChecks.KindProblem(body, type.Named, checksMetadata: GoTypes.Of(type) is null) is { } problem
            ? throw ApiErrors.BadRequest(problem)
            : (JsonObject)body!;

    /// <summary>Reads a body as the kind: without nulls and fields that the kind does not have.</summary>
    /// <param name="body">A copy, changed in place.</param>
    /// <param name="original">What it is a copy of: of a patched object messages tell what it was before it was read, without what reading
    /// drops.</param>
    /// <exception cref="ApiException">400 for another kind, for wrong JSON types, and for unknown or duplicate fields under Strict; 422
    /// where these come of a patch.</exception>
    public static JsonObject Decode(JsonNode? body, JsonNode? original, ResourceType type, WriteOptions options)
    {
        var value = RequireKind(body, type);
        var patched = options.IsPatch ? original as JsonObject : null;
        List<string> complaints;
        if (GoTypes.Of(type) is { } go)
        {
            var decoding = GoDecoder.Decode(value, go, options.PatchText is not null);
            if (decoding.Failure is { } failure)
            {
                throw Undecodable(type, failure, patched, options);
            }

            complaints = [.. decoding.UnknownFields.Select(field => $"unknown field \"{field}\"")];
        }
        else
        {
            complaints = ObjectChecks.Prune(value, type.Schema);
        }

        complaints.AddRange(options.DuplicateFields.Select(field => $"duplicate field \"{field}\""));
        if (complaints.Count > 0 && options.Validation == FieldValidation.Strict)
        {
            throw Undecodable(type, ObjectChecks.StrictDecodingError(complaints), patched, options);
        }

        if (options.Validation == FieldValidation.Warn)
        {
            options.Warnings.AddRange(complaints.Except(options.Warnings));
        }

        return value;
    }

    // endpoints/handlers/patch.go: what a patch comes to is an invalid value of the patch; what an apply comes to cannot be converted.
    private static ApiException Undecodable(ResourceType type, string problem, JsonObject? patched, WriteOptions options) =>
        patched is null ? ApiErrors.BadRequest(ObjectChecks.DecodingProblem(type.Named, problem))
        : options.IsApply
            ? ApiErrors.BadRequest($"failed to convert new object ({TypedPatch.Describe(patched, type)}) to proper version: {problem}")
        : ApiErrors.InvalidPatch(options.PatchText?.Invoke() ?? JsonText.ToText(patched), problem);

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
