using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Apply;
using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Local.ApiServer.Store;
using Cluster.Operator.Manifests;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Writing;

/// <summary>PUT and the writing half of PATCH: turns a changed copy into the next version of an object, under optimistic
/// concurrency.</summary>
internal sealed class ObjectUpdate(ApiState state)
{
    // A patch is tried again when somebody else wrote between its read and its write.
    private const int MaxAttempts = 8;

    private static readonly string[] FixedMetadata = [
        "name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink",
        "managedFields"];

    /// <param name="subresource">null, <c>status</c>, <c>scale</c>, …: who is credited, and which part may change.</param>
    /// <param name="change">Makes the wanted object from the live one (which it must not change). Called again after a lost race.</param>
    /// <param name="isApplied">The changed object carries its managedFields already.</param>
    /// <returns>The object as stored, the live one when nothing changed, or the last state when the change completed a deletion.</returns>
    public JsonObject Update(
        ResourceType type, ObjectKey key, string? subresource, Func<JsonObject, JsonObject> change, WriteOptions options,
        bool isApplied = false)
    {
        for (var attempt = 1; ; attempt++)
        {
            var live = state.Require(type, key);
            var next = Next(type, live.Root, change(Rendered(live.Root, type)), subresource, options, isApplied);
            if (JsonNode.DeepEquals(next, live.Root) || options.DryRun)
            {
                return next;
            }
            var stored = IsFinished(next)
                ? state.Store.Delete(type.Collection, live, next)
                : state.Store.Update(type.Collection, live, next);
            if (stored is not null)
            {
                if (IsFinished(next))
                {
                    type.Strategy.Removed(stored.Root);
                }
                else
                {
                    type.Strategy.Stored(stored.Root);
                }
                return stored.Root;
            }
            if (attempt == MaxAttempts)
            {
                throw ApiErrors.Modified(type, key.Name);
            }
        }
    }

    /// <summary>Nothing holds a deleted object any more.</summary>
    public static bool IsFinished(JsonObject value) =>
        value.IsDeleting()
        && !value.HasFinalizers()
        && (value.Integer("metadata", "deletionGracePeriodSeconds") ?? 0) == 0
        && !(value.Text("kind") == "Namespace" && value.At("spec", "finalizers") is JsonArray { Count: > 0 });

    private JsonObject Next(
        ResourceType type, JsonObject live, JsonObject wanted, string? subresource, WriteOptions options, bool isApplied)
    {
        wanted = Admission.Decode(wanted.Copy(), wanted, type, options);
        CheckIdentity(type, live, wanted, options.IsPatch);
        var ownership = wanted.At("metadata", "managedFields")?.DeepClone();
        var stated = ManagedFields.Stated(live, wanted);
        JsonObject next;
        if (subresource == "status")
        {
            next = live.Copy();
            next["apiVersion"] = type.ApiVersion;
            Replace(next, "status", wanted["status"]);
        }
        else
        {
            next = wanted;
            foreach (var name in FixedMetadata)
            {
                Replace(next.Metadata(), name, live.At("metadata", name));
            }
            next.Metadata()["resourceVersion"] = live.Text("metadata", "resourceVersion");
            if (type.HasStatus)
            {
                Replace(next, "status", live["status"]);
            }
        }
        type.Strategy.PrepareForUpdate(next, live, subresource);
        Admission.Admit(type, next, live, subresource, options);
        CheckFinalizers(type, live, next);
        if (type.TracksGeneration && !JsonNode.DeepEquals(Content(next), Content(live)))
        {
            next.Metadata()["generation"] = (live.Integer("metadata", "generation") ?? 0) + 1;
        }
        if (isApplied)
        {
            Replace(next.Metadata(), "managedFields", ownership);
        }
        else if (subresource != "scale" || ManagedFields.Owns(stated, type.Scale!.SpecReplicas))
        {
            ManagedFields.RecordUpdate(live, stated, next, type.Shape, options.FieldManager, type.ApiVersion, subresource ?? "", state.Now);
        }
        return next;
    }

    private static void CheckIdentity(ResourceType type, JsonObject live, JsonObject wanted, bool isPatch)
    {
        if (wanted.Name() is { Length: > 0 } name && name != live.Name())
        {
            throw ApiErrors.BadRequest($"the name of the object ({name}) does not match the name on the URL ({live.Name()})");
        }
        if (wanted.Namespace() is { Length: > 0 } space && space != live.Namespace())
        {
            throw ApiErrors.BadRequest("the namespace of the provided object does not match the namespace sent on the request");
        }
        if (wanted.Uid() is { Length: > 0 } uid && uid != live.Uid())
        {
            // The uid of a replacement is a precondition; a patch has none, and changes a field that may not change.
            throw isPatch
                ? ApiErrors.Invalid(type, live.Name(), [FieldError.Invalid("metadata.uid", $"\"{uid}\"", "field is immutable")])
                : ApiErrors.Conflict(
                    type, live.Name(), $"Precondition failed: UID in precondition: {uid}, UID in object meta: {live.Uid()}");
        }
        var version = wanted.Text("metadata", "resourceVersion");
        if (version is { Length: > 0 } and not "0" && version != live.Text("metadata", "resourceVersion"))
        {
            throw ApiErrors.Modified(type, live.Name());
        }
        if (type.IsCustom && version is null or "")
        {
            throw ApiErrors.Invalid(
                type, live.Name(), [FieldError.Invalid("metadata.resourceVersion", "0x0", "must be specified for an update")]);
        }
    }

    private static void CheckFinalizers(ResourceType type, JsonObject live, JsonObject next)
    {
        if (!live.IsDeleting())
        {
            return;
        }
        var present = live.Texts("metadata", "finalizers").ToHashSet(StringComparer.Ordinal);
        var added = next.Texts("metadata", "finalizers").Where(finalizer => !present.Contains(finalizer)).ToList();
        if (added.Count > 0)
        {
            throw ApiErrors.Invalid(
                type, live.Name(),
                [FieldError.Forbidden(
                    "metadata.finalizers",
                    $"no new finalizers can be added if the object is being deleted, found new finalizers "
                    + $"[]string{{{string.Join(", ", added.Select(f => $"\"{f}\""))}}}")]);
        }
    }

    /// <summary>The object in the version the request speaks; versions of a custom kind differ in name only (conversion strategy
    /// None), those of a built-in one as its strategy says.</summary>
    public static JsonObject Rendered(JsonObject value, ResourceType type)
    {
        if (value.Text("apiVersion") == type.ApiVersion)
        {
            return value;
        }
        var copy = value.Copy();
        copy["apiVersion"] = type.ApiVersion;
        type.Strategy.Render(copy);
        return copy;
    }

    private static JsonObject Content(JsonObject value)
    {
        var copy = value.Copy();
        foreach (var name in new[] { "metadata", "status", "apiVersion" })
        {
            copy.Remove(name);
        }
        return copy;
    }

    private static void Replace(JsonObject target, string name, JsonNode? value)
    {
        if (value is null)
        {
            target.Remove(name);
        }
        else
        {
            target[name] = value.DeepClone();
        }
    }
}
