using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Apply;
using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Local.ApiServer.Store;
using Cluster.Operator.Manifests;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Writing;

/// <summary>POST: gives an object its identity, defaults and validates it, and stores it.</summary>
internal sealed class ObjectCreation(ApiState state)
{
    // Without vowels and easily confused characters, as the real server's.
    private const string SuffixAlphabet = "bcdfghjklmnpqrstvwxz2456789";
    private const int SuffixLength = 5;
    private const int MaxGeneratedBase = 58;

    private static readonly string[] ServerFields = [
        "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"];

    /// <param name="namespace">Of the path; empty for cluster-scoped kinds.</param>
    /// <param name="isApplied">The body carries its managedFields already (server-side apply).</param>
    /// <returns>The object as stored (or as it would be, for a dry run).</returns>
    public JsonObject Create(ResourceType type, string @namespace, JsonNode? body, WriteOptions options, bool isApplied = false)
    {
        var value = Admission.Decode(body?.DeepClone(), body, type, options);
        var metadata = value.Metadata();
        PlaceInNamespace(type, @namespace, metadata);
        if (metadata.Text("resourceVersion") is { Length: > 0 } and not "0" && !isApplied)
        {
            // The storage layer's own error, which the real server passes on without a reason.
            throw new ApiException(500, "", "resourceVersion should not be set on objects to be created");
        }
        foreach (var name in ServerFields)
        {
            metadata.Remove(name);
        }
        if (metadata.Text("name") is not { Length: > 0 })
        {
            var stem = metadata.Text("generateName") is { Length: > 0 } prefix ? prefix
                : type.IsReview ? "review-"
                : throw ApiErrors.Invalid(type, "", [FieldError.Required("metadata.name", "name or generateName is required")]);
            metadata["name"] = stem[..Math.Min(stem.Length, MaxGeneratedBase)]
                + RandomNumberGenerator.GetString(SuffixAlphabet, SuffixLength);
        }
        metadata["uid"] = Guid.NewGuid().ToString();
        metadata["creationTimestamp"] = state.Now;
        if (type.TracksGeneration)
        {
            metadata["generation"] = 1L;
        }
        if (type is { HasStatus: true, IsCustom: true })
        {
            value.Remove("status");
        }
        type.Strategy.PrepareForCreate(value);
        if (type.IsReview)
        {
            value["status"] = AccessReviews.Status(type, options.Caller);
            return value;
        }
        Admission.Admit(type, value, null, null, options);
        RequireNamespace(type, value.Namespace(), value.Name());
        if (!isApplied)
        {
            metadata.Remove("managedFields");
            ManagedFields.RecordUpdate(null, [], value, type.Shape, options.FieldManager, type.ApiVersion, "", state.Now);
        }

        if (options.DryRun)
        {
            return state.Store.Get(type.Collection, new ObjectKey(value.Namespace(), value.Name())) is null
                ? value
                : throw ApiErrors.AlreadyExists(type, value.Name());
        }
        var stored = state.Store.Create(type.Collection, value) ?? throw ApiErrors.AlreadyExists(type, value.Name());
        type.Strategy.Stored(stored.Root);
        return stored.Root;
    }

    private static void PlaceInNamespace(ResourceType type, string @namespace, JsonObject metadata)
    {
        if (!type.Namespaced)
        {
            metadata.Remove("namespace");
            return;
        }
        if (metadata.Text("namespace") is { Length: > 0 } stated && stated != @namespace)
        {
            throw ApiErrors.BadRequest($"the namespace of the provided object does not match the namespace sent on the request");
        }
        metadata["namespace"] = @namespace;
    }

    private void RequireNamespace(ResourceType type, string @namespace, string name)
    {
        if (!type.Namespaced)
        {
            return;
        }
        var home = state.Store.Get("/namespaces", new ObjectKey("", @namespace)) ?? throw ApiErrors.NamespaceNotFound(@namespace);
        if (home.Root.IsDeleting())
        {
            throw ApiErrors.Forbidden(type, name, $"unable to create new content in namespace {@namespace} because it is being terminated");
        }
    }
}
