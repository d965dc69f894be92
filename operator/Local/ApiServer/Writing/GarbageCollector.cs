using System.Diagnostics;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Resources;
using Cluster.Operator.Local.ApiServer.Store;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Writing;

/// <summary>Removes what has lost its reason to exist: dependents of absent owners, the content of a namespace or CRD being deleted; and
/// completes foreground and orphaning deletion. Level-triggered: after any write it looks at the whole cluster, and after each look it
/// rests, so that on a large one it does not take the server's time.</summary>
/// <param name="controllers">Run after each look.</param>
internal sealed class GarbageCollector(
    ApiState state, ObjectUpdate update, ObjectDeletion deletion, IReadOnlyList<Action> controllers)
{
    // What a real server's --event-ttl defaults to.
    private static readonly TimeSpan EventLifetime = TimeSpan.FromHours(1);

    // Looks take at most about a twentieth of one core.
    private const int RestFactor = 20;

    // As they were last written and when that was seen. Like a lease in etcd, a life is counted without the wall clock.
    private Dictionary<ObjectKey, (StoredObject Stored, long SeenAt)> _events = [];

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            var changed = state.Store.NextChange;
            var started = Stopwatch.GetTimestamp();
            Collect();
            foreach (var controller in controllers)
            {
                controller();
            }

            ExpireEvents();
            await Task.Delay(Stopwatch.GetElapsedTime(started) * RestFactor, cancellationToken)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await changed.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>One pass over every object. Losing a race to another writer leaves the work to the next pass, which that write
    /// triggers.</summary>
    public void Collect()
    {
        var objects = state.Registry.Collections
            .SelectMany(type => state.Store.Snapshot(type.Collection).Objects.Values.Select(stored => (Type: type, Stored: stored)))
            .ToList();
        var concerned = objects.Where(o => o.Stored.HasOwners || o.Stored.IsDeleting).ToList();
        if (concerned.Count == 0)
        {
            return;
        }
        var byUid = objects.ToLookup(o => o.Stored.Uid);
        foreach (var (type, stored) in concerned)
        {
            try
            {
                CollectDependent(type, stored, byUid);
                CollectOwner(type, stored, objects);
                CollectContainer(type, stored, objects);
            }
            catch (ApiException)
            {
                // Lost a race, or the object no longer fits its schema: the others must still be looked at.
            }
        }
    }

    // Events are many and nobody deletes them. Any write is occasion enough to look: without writes there are no new events.
    private void ExpireEvents()
    {
        var now = state.Clock.GetTimestamp();
        var present = new Dictionary<ObjectKey, (StoredObject Stored, long SeenAt)>();
        foreach (var (key, stored) in state.Store.Snapshot("/events").Objects)
        {
            var seenAt = _events.TryGetValue(key, out var known) && ReferenceEquals(known.Stored, stored) ? known.SeenAt : now;
            if (state.Clock.GetElapsedTime(seenAt, now) > EventLifetime)
            {
                state.Store.Delete("/events", stored);
            }
            else
            {
                present.Add(key, (stored, seenAt));
            }
        }
        _events = present;
    }

    private void CollectDependent(ResourceType type, StoredObject stored, ILookup<string, (ResourceType Type, StoredObject Stored)> byUid)
    {
        var owners = stored.Root.Items("metadata", "ownerReferences").ToList();
        if (owners.Count == 0 || stored.Root.IsDeleting())
        {
            return;
        }
        // An owner in another namespace does not count: references do not cross namespaces.
        bool Exists(JsonNode? owner) =>
            byUid[owner.Text("uid") ?? ""].Any(o => o.Stored.Key.Namespace.Length == 0 || o.Stored.Key.Namespace == stored.Key.Namespace);
        var present = owners.Where(Exists).ToList();
        if (present.Count == 0)
        {
            deletion.Delete(type, stored.Key, new DeleteOptions(Uid: stored.Root.Uid()));
        }
        else if (present.Count < owners.Count)
        {
            var kept = present.Select(owner => owner.Text("uid")).ToHashSet();
            update.Update(
                type, stored.Key, null, live => WithoutOwners(live, owner => !kept.Contains(owner.Text("uid"))),
                WriteOptions.OfController());
        }
    }

    private void CollectOwner(ResourceType type, StoredObject stored, List<(ResourceType Type, StoredObject Stored)> objects)
    {
        var root = stored.Root;
        if (!root.IsDeleting())
        {
            return;
        }
        var finalizers = root.Texts("metadata", "finalizers").ToList();
        var orphaning = finalizers.Contains(ObjectDeletion.OrphanFinalizer);
        var foreground = finalizers.Contains(ObjectDeletion.ForegroundFinalizer);
        if (!orphaning && !foreground)
        {
            return;
        }
        var blocked = false;
        foreach (var (dependentType, dependent) in objects)
        {
            if (dependent.Root.Items("metadata", "ownerReferences")
                .FirstOrDefault(owner => owner.Text("uid") == root.Uid()) is not { } reference)
            {
                continue;
            }
            if (orphaning)
            {
                update.Update(
                    dependentType, dependent.Key, null, live => WithoutOwners(live, owner => owner.Text("uid") == root.Uid()),
                    WriteOptions.OfController());
                continue;
            }
            blocked |= reference.Flag("blockOwnerDeletion");
            var hasOtherOwner = dependent.Root.Items("metadata", "ownerReferences").Count() > 1;
            if (!dependent.Root.IsDeleting() && !hasOtherOwner)
            {
                deletion.Delete(
                    dependentType, dependent.Key, new DeleteOptions(Uid: dependent.Root.Uid(), Propagation: DeleteOptions.Foreground));
            }
        }
        if (orphaning || !blocked)
        {
            var done = orphaning ? ObjectDeletion.OrphanFinalizer : ObjectDeletion.ForegroundFinalizer;
            update.Update(type, stored.Key, null, live => WithoutFinalizer(live, done), WriteOptions.OfController());
        }
    }

    private void CollectContainer(ResourceType type, StoredObject stored, List<(ResourceType Type, StoredObject Stored)> objects)
    {
        if (!stored.Root.IsDeleting())
        {
            return;
        }
        switch (type.Kind)
        {
            case "Namespace" when type.Group.Length == 0:
                var content = objects.Where(o => o.Type.Namespaced && o.Stored.Key.Namespace == stored.Key.Name).ToList();
                DeleteAll(content);
                if (content.Count == 0)
                {
                    update.Update(type, stored.Key, "finalize", WithoutNamespaceFinalizer, WriteOptions.OfController());
                }
                break;
            case "CustomResourceDefinition"
                when stored.Root.Texts("metadata", "finalizers").Contains(CustomResourceDefinitionStrategy.CleanupFinalizer):
                var instances = objects.Where(
                    o => o.Type.Group == stored.Root.Text("spec", "group") && o.Type.Plural == stored.Root.Text("spec", "names", "plural"))
                    .ToList();
                DeleteAll(instances);
                if (instances.Count == 0)
                {
                    update.Update(
                        type, stored.Key, null, live => WithoutFinalizer(live, CustomResourceDefinitionStrategy.CleanupFinalizer),
                        WriteOptions.OfController());
                }
                break;
        }
    }

    private void DeleteAll(IEnumerable<(ResourceType Type, StoredObject Stored)> objects)
    {
        foreach (var (type, stored) in objects.Where(o => !o.Stored.Root.IsDeleting()))
        {
            deletion.Delete(type, stored.Key, new DeleteOptions(Uid: stored.Root.Uid()));
        }
    }

    private static JsonObject WithoutOwners(JsonObject live, Func<JsonNode?, bool> gone)
    {
        var next = live.Copy();
        var kept = next.Items("metadata", "ownerReferences").Where(owner => !gone(owner)).Select(owner => owner?.DeepClone()).ToArray();
        next.Metadata()["ownerReferences"] = kept.Length == 0 ? null : new JsonArray(kept);
        if (kept.Length == 0)
        {
            next.Metadata().Remove("ownerReferences");
        }
        return next;
    }

    private static JsonObject WithoutFinalizer(JsonObject live, string finalizer)
    {
        var next = live.Copy();
        next.Metadata()["finalizers"] = new JsonArray(
            [.. live.Texts("metadata", "finalizers").Where(f => f != finalizer).Select(f => (JsonNode)f)]);
        return next;
    }

    private static JsonObject WithoutNamespaceFinalizer(JsonObject live)
    {
        var next = live.Copy();
        next.Child("spec")["finalizers"] = new JsonArray();
        return next;
    }
}
