using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Local.ApiServer.Store;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Writing;

/// <summary>DELETE: removes an object, or marks it while finalizers, a grace period or dependents hold it.</summary>
internal sealed class ObjectDeletion(ApiState state)
{
    public const string ForegroundFinalizer = "foregroundDeletion";
    public const string OrphanFinalizer = "orphan";

    /// <returns>The object's last or marked state, and whether it is gone.</returns>
    /// <exception cref="ApiException">404, or 409 when a precondition fails.</exception>
    public (JsonObject Value, bool Gone) Delete(ResourceType type, ObjectKey key, DeleteOptions options)
    {
        while (true)
        {
            var live = state.Require(type, key);
            CheckPreconditions(type, live.Root, options);
            var marked = Mark(type, live.Root, options);
            var finished = ObjectUpdate.IsFinished(marked);
            if (options.DryRun || (!finished && JsonNode.DeepEquals(marked, live.Root)))
            {
                return (marked, finished);
            }
            var stored = finished ? state.Store.Delete(type.Collection, live) : state.Store.Update(type.Collection, live, marked);
            if (stored is null)
            {
                continue;
            }
            if (finished)
            {
                type.Strategy.Removed(stored.Root);
            }
            return (stored.Root, finished);
        }
    }

    private JsonObject Mark(ResourceType type, JsonObject live, DeleteOptions options)
    {
        var marked = live.Copy();
        var metadata = marked.Metadata();
        var grace = type.Strategy.GracePeriodSeconds(live, options.GracePeriodSeconds);
        var sooner = !live.IsDeleting() || grace < (live.Integer("metadata", "deletionGracePeriodSeconds") ?? 0);
        if (sooner)
        {
            metadata["deletionTimestamp"] = ApiObject.Timestamp(state.Clock.GetUtcNow().AddSeconds(grace));
            metadata["deletionGracePeriodSeconds"] = grace;
            if (type.TracksGeneration && !live.IsDeleting())
            {
                metadata["generation"] = (live.Integer("metadata", "generation") ?? 0) + 1;
            }
        }
        if (type.Kind == "Namespace" && type.Group.Length == 0)
        {
            marked.Child("status")["phase"] = "Terminating";
        }
        if (options.Propagation is { } propagation)
        {
            SetFinalizer(metadata, ForegroundFinalizer, propagation == DeleteOptions.Foreground);
            SetFinalizer(metadata, OrphanFinalizer, propagation == DeleteOptions.Orphan);
        }
        return marked;
    }

    private static void SetFinalizer(JsonObject metadata, string finalizer, bool wanted)
    {
        var finalizers = metadata["finalizers"] as JsonArray ?? [];
        var at = finalizers.Select(f => f.Text()).ToList().IndexOf(finalizer);
        if (wanted && at < 0)
        {
            finalizers.Add(finalizer);
            if (finalizers.Parent is null)
            {
                metadata["finalizers"] = finalizers;
            }
        }
        else if (!wanted && at >= 0)
        {
            finalizers.RemoveAt(at);
        }
    }

    private static void CheckPreconditions(ResourceType type, JsonObject live, DeleteOptions options)
    {
        if (options.Uid is { } uid && uid != live.Uid())
        {
            throw ApiErrors.Conflict(
                type, live.Name(), $"Precondition failed: UID in precondition: {uid}, UID in object meta: {live.Uid()}");
        }
        if (options.ResourceVersion is { } version && version != live.Text("metadata", "resourceVersion"))
        {
            throw ApiErrors.Conflict(
                type, live.Name(),
                $"Precondition failed: ResourceVersion in precondition: {version}, ResourceVersion in object meta: "
                + $"{live.Text("metadata", "resourceVersion")}");
        }
    }
}
