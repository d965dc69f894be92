using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Apply;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Tests.Local.ApiServer;

/// <summary>The algebra under server-side apply, on random trees.</summary>
public sealed class FieldSetTests
{
    private static readonly FieldShape Shape = new()
    {
        Fields = new Dictionary<string, FieldShape>
        {
            ["a"] = new() { Merge = FieldMerge.ListMap, Keys = [new MergeKey("name")] },
            ["b"] = new() { Merge = FieldMerge.Set },
            ["c"] = FieldShape.Whole,
        },
    };

    private static JsonNode Tree(Random random, int depth)
    {
        var map = new JsonObject();
        foreach (var name in new[] { "d", "e", "f" }.Where(_ => random.Next(3) > 0))
        {
            map[name] = depth > 0 && random.Next(2) == 0 ? Tree(random, depth - 1) : JsonValue.Create((long)random.Next(3));
        }
        return map;
    }

    private static JsonObject Value(Random random)
    {
        var value = (JsonObject)Tree(random, 2);
        value["a"] = new JsonArray([.. new[] { "x", "y", "z" }.Where(_ => random.Next(2) == 0).Select(name =>
        {
            var item = (JsonObject)Tree(random, 1);
            item["name"] = name;
            return (JsonNode)item;
        })]);
        value["b"] = new JsonArray([.. new[] { "p", "q", "r" }.Where(_ => random.Next(2) == 0).Select(item => (JsonNode)item)]);
        value["c"] = Tree(random, 1);
        return value;
    }

    [Fact]
    public void A_set_survives_its_wire_form()
    {
        var random = new Random(1);
        Assert.All(Enumerable.Range(0, 200), i =>
        {
            var set = FieldPaths.Of(Value(random), Shape);
            Assert.True(set.SetEquals(FieldSet.Parse(set.ToFieldsV1())));
        });
    }

    [Fact]
    public void Difference_and_intersection_make_the_whole()
    {
        var random = new Random(2);
        Assert.All(Enumerable.Range(0, 200), i =>
        {
            var (one, two) = (FieldPaths.Of(Value(random), Shape), FieldPaths.Of(Value(random), Shape));
            var whole = one.Without(two);
            Assert.True(whole.Intersect(two).IsEmpty);
            whole.UnionWith(one.Intersect(two));
            Assert.True(whole.SetEquals(one));
        });
    }

    [Fact]
    public void Merging_a_configuration_twice_changes_nothing_more()
    {
        var random = new Random(3);
        Assert.All(Enumerable.Range(0, 200), i =>
        {
            var (live, applied) = (Value(random), Value(random));
            var merged = ApplyMerge.Merge(live, applied, Shape)!;
            Assert.True(JsonNode.DeepEquals(merged, ApplyMerge.Merge(merged, applied, Shape)));
        });
    }

    [Fact]
    public void Applying_and_then_applying_nothing_leaves_what_others_own()
    {
        var random = new Random(4);
        Assert.All(Enumerable.Range(0, 100), i =>
        {
            var (mine, theirs) = (Value(random), Value(random));
            var both = ManagedFields.Apply(
                ManagedFields.Apply([], theirs, Shape, "theirs", "v1", "", true, "t"), mine, Shape, "mine", "v1", "", true, "t");
            var after = ManagedFields.Apply(both, [], Shape, "mine", "v1", "", true, "t");
            var remaining = ManagedFields.Read(after);
            Assert.DoesNotContain(remaining, entry => entry.Manager == "mine");
            var kept = ManagedFields.Read(both).Single(entry => entry.Manager == "theirs").Fields;
            Assert.True(remaining.Single(entry => entry.Manager == "theirs").Fields.SetEquals(kept));
        });
    }
}
