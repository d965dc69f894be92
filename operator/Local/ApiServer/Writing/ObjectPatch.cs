using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Apply;
using Cluster.Operator.Local.ApiServer.Fields;
using Cluster.Operator.Local.ApiServer.Patch;
using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Local.ApiServer.Store;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Writing;

/// <summary>PATCH in its four dialects, named by content type.</summary>
internal sealed class ObjectPatch(ApiState state, ObjectCreation creation, ObjectUpdate update)
{
    public const string Json = "application/json-patch+json";
    public const string Merge = "application/merge-patch+json";
    public const string Strategic = "application/strategic-merge-patch+json";
    public const string Apply = "application/apply-patch+yaml";

    /// <returns>The new state and whether the patch (an apply) created the object.</returns>
    public (JsonObject Value, bool Created) Patch(
        ResourceType type, ObjectKey key, string? subresource, string dialect, JsonNode? patch, WriteOptions options) =>
        dialect == Apply
            ? ApplyConfiguration(type, key, subresource, patch, options)
            : (update.Update(type, key, subresource, live => Patched(live, dialect, patch, type), options), false);

    /// <summary>One of the three diff dialects on any tree (the scale subresource patches a tree that is not stored).</summary>
    public static JsonObject Patched(JsonObject live, string dialect, JsonNode? patch, ResourceType type) => dialect switch
    {
        Json => JsonPatch.Apply(live, patch),
        Merge => MergePatch.Apply(live, RequireObject(patch)) as JsonObject ?? [],
        Strategic when !type.IsCustom => StrategicMergePatch.Apply(live, RequireObject(patch), type.Shape),
        _ => throw ApiErrors.UnsupportedMediaType(
            string.Join(", ", type.IsCustom ? [Json, Merge, Apply] : [Json, Merge, Strategic, Apply])),
    };

    private (JsonObject Value, bool Created) ApplyConfiguration(
        ResourceType type, ObjectKey key, string? subresource, JsonNode? patch, WriteOptions options)
    {
        var applied = Admission.RequireKind(RequireObject(patch).Copy(), type);
        if (applied.At("metadata", "managedFields") is JsonArray { Count: > 0 })
        {
            throw ApiErrors.BadRequest("metadata.managedFields must be nil");
        }
        if (applied.Name() is { Length: > 0 } name && name != key.Name)
        {
            throw ApiErrors.BadRequest($"the name of the object ({name}) does not match the name on the URL ({key.Name})");
        }
        if (applied.Namespace() is { Length: > 0 } space && space != key.Namespace)
        {
            throw ApiErrors.BadRequest("the namespace of the provided object does not match the namespace sent on the request");
        }
        TypedPatch.Check(applied, type);
        KeepOwnPart(type, subresource, applied);
        applied.Metadata()["name"] = key.Name;
        if (type.Namespaced)
        {
            applied.Metadata()["namespace"] = key.Namespace;
        }

        if (state.Store.Get(type.Collection, key) is null)
        {
            if (subresource is not null || applied.Uid().Length > 0)
            {
                throw applied.Uid().Length > 0
                    ? ApiErrors.Conflict(
                        type, key.Name,
                        $"uid mismatch: the provided object specified uid {applied.Uid()}, and no existing object was found")
                    : ApiErrors.NotFound(type, key.Name);
            }
            var blank = new JsonObject { ["apiVersion"] = type.ApiVersion, ["kind"] = type.Kind, ["metadata"] = new JsonObject() };
            var created = ManagedFields.Apply(
                blank, applied, type.Shape, options.FieldManager, type.ApiVersion, "", options.Force, state.Now);
            try
            {
                return (creation.Create(type, key.Namespace, created, options, isApplied: true), true);
            }
            catch (ApiException error) when (error.Reason == "AlreadyExists")
            {
                // Created by somebody else since the look: apply to that.
            }
        }
        var value = update.Update(
            type,
            key,
            subresource,
            live => ManagedFields.Apply(
                live, applied, type.Shape, options.FieldManager, type.ApiVersion, subresource ?? "", options.Force, state.Now),
            options,
            isApplied: true);
        return (value, false);
    }

    // Fields this endpoint does not write are neither merged nor owned.
    private static void KeepOwnPart(ResourceType type, string? subresource, JsonObject applied)
    {
        if (subresource == "status")
        {
            var metadata = applied.Metadata();
            foreach (var member in metadata.Select(m => m.Key).Where(m => m is not ("name" or "namespace" or "uid" or "resourceVersion"))
                .ToList())
            {
                metadata.Remove(member);
            }
            foreach (var member in applied.Select(m => m.Key).Where(m => m is not ("apiVersion" or "kind" or "metadata" or "status"))
                .ToList())
            {
                applied.Remove(member);
            }
        }
        else if (type.HasStatus)
        {
            applied.Remove("status");
        }
    }

    private static JsonObject RequireObject(JsonNode? patch) =>
        patch as JsonObject ?? throw ApiErrors.BadRequest("the patch must be an object");
}
