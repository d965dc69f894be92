using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Store;

namespace Cluster.Operator.Tests.Local.ApiServer;

public sealed class StoreTests
{
    private const string Things = "/things";

    private static JsonObject Thing(string name, int value = 0) =>
        new() { ["metadata"] = new JsonObject { ["name"] = name }, ["value"] = value };

    private static string Names(IEnumerable<KeyValuePair<ObjectKey, StoredObject>> objects) =>
        string.Join(' ', objects.Select(o => o.Key.Name));

    [Fact]
    public void Versions_grow_across_collections_and_a_lost_race_changes_nothing()
    {
        var store = new VersionedStore(16);
        var first = store.Create(Things, Thing("a"))!;
        var other = store.Create("/others", Thing("a"))!;
        Assert.True(other.Version > first.Version);
        Assert.Null(store.Create(Things, Thing("a")));
        var second = store.Update(Things, first, Thing("a", 1))!;
        Assert.Null(store.Update(Things, first, Thing("a", 2)));
        Assert.Null(store.Delete(Things, first));
        Assert.Equal(1, (int)store.Get(Things, new ObjectKey("", "a"))!.Root["value"]!.GetValue<long>());
        Assert.True(store.Delete(Things, second)!.Version > second.Version);
    }

    [Fact]
    public void Any_version_within_the_history_can_be_seen_again()
    {
        var store = new VersionedStore(200);
        var random = new Random(7);
        var seen = new List<(long Version, string Names)>();
        for (var i = 0; i < 150; i++)
        {
            var name = $"n{random.Next(12)}";
            var present = store.Get(Things, new ObjectKey("", name));
            _ = present is null
                ? store.Create(Things, Thing(name))
                : random.Next(2) == 0 ? store.Delete(Things, present) : store.Update(Things, present, Thing(name, i));
            seen.Add((store.Version, Names(store.Snapshot(Things).Objects)));
        }
        Assert.All(seen, at => Assert.Equal(at.Names, Names(store.SnapshotAt(Things, at.Version)!)));
    }

    [Fact]
    public void A_reader_that_falls_behind_the_history_is_told_so_and_one_that_keeps_up_misses_nothing()
    {
        var store = new VersionedStore(8);
        var start = store.Version;
        var slow = store.ReadAfter(Things, start)!;
        var quick = store.ReadAfter(Things, start)!;
        var got = 0;
        for (var i = 0; i < 20; i++)
        {
            store.Create(Things, Thing($"n{i}"));
            got += quick.Take().Changes!.Length;
        }
        Assert.Equal(20, got);
        Assert.Null(slow.Take().Changes);
        Assert.Null(store.ReadAfter(Things, start));
        Assert.Null(store.SnapshotAt(Things, start));
    }

    [Fact]
    public void Compaction_forgets_history_and_new_history_begins()
    {
        var store = new VersionedStore(4);
        var before = store.Create(Things, Thing("a"))!.Version;
        store.Create(Things, Thing("b"));
        store.Compact();
        Assert.Null(store.ReadAfter(Things, before));
        var after = store.Version;
        for (var i = 0; i < 4; i++)
        {
            store.Create(Things, Thing($"c{i}"));
        }
        Assert.Equal(4, store.ReadAfter(Things, after)!.Take().Changes!.Length);
        store.Create(Things, Thing("d"));
        Assert.Null(store.ReadAfter(Things, after));
    }

    [Fact]
    public async Task Concurrent_writers_leave_one_ordered_history()
    {
        var store = new VersionedStore(4096);
        var reader = store.ReadAfter(Things, store.Version)!;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(w => Task.Run(() =>
        {
            for (var i = 0; i < 200; i++)
            {
                store.Create(Things, Thing($"w{w}-{i}"));
            }
        })));
        var versions = reader.Take().Changes!.Select(change => change.Version).ToList();
        Assert.Equal(800, versions.Count);
        Assert.Equal(versions.Order(), versions);
        Assert.Equal(versions.Distinct().Count(), versions.Count);
    }

    [Fact]
    public void The_next_change_completes_with_the_next_commit()
    {
        var store = new VersionedStore(4);
        var next = store.NextChange;
        Assert.False(next.IsCompleted);
        store.Create(Things, Thing("a"));
        Assert.True(next.IsCompleted);
        Assert.False(store.NextChange.IsCompleted);
    }
}
