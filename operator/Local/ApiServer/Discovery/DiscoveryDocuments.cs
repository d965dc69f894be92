using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Resources;

namespace Cluster.Operator.Local.ApiServer.Discovery;

/// <summary>What is served where, in both forms: one document a group version, and the aggregated one.</summary>
internal static class DiscoveryDocuments
{
    public static JsonObject Versions() => new()
    {
        ["kind"] = "APIVersions",
        ["versions"] = new JsonArray("v1"),
        ["serverAddressByClientCIDRs"] = new JsonArray(),
    };

    public static JsonObject Groups(ResourceRegistry registry) => new()
    {
        ["kind"] = "APIGroupList",
        ["apiVersion"] = "v1",
        ["groups"] = new JsonArray([.. NamedGroups(registry).Select(group => (JsonNode)Group(group))]),
    };

    public static JsonObject? Group(ResourceRegistry registry, string name) =>
        NamedGroups(registry).FirstOrDefault(group => group.Key == name) is { } found ? Group(found) : null;

    public static JsonObject? Resources(ResourceRegistry registry, string group, string version)
    {
        var types = registry.Types.Where(type => type.Group == group && type.Version == version).ToList();
        return types.Count == 0 ? null : new JsonObject
        {
            ["kind"] = "APIResourceList",
            ["apiVersion"] = "v1",
            ["groupVersion"] = types[0].ApiVersion,
            ["resources"] = new JsonArray([.. types.SelectMany(ResourceEntries)]),
        };
    }

    /// <summary>KEP-3352: every group, version and resource in one answer.</summary>
    /// <param name="core">The legacy group at /api instead of the named groups at /apis.</param>
    public static JsonObject Aggregated(ResourceRegistry registry, bool core, string version)
    {
        var groups = core ? registry.Types.Where(type => type.Group.Length == 0).GroupBy(type => type.Group) : NamedGroups(registry);
        return new JsonObject
        {
            ["kind"] = "APIGroupDiscoveryList",
            ["apiVersion"] = $"apidiscovery.k8s.io/{version}",
            ["metadata"] = new JsonObject(),
            ["items"] = new JsonArray([.. groups.Select(group => (JsonNode)new JsonObject
            {
                ["metadata"] = new JsonObject { ["name"] = group.Key, ["creationTimestamp"] = null },
                ["versions"] = new JsonArray([.. group.GroupBy(type => type.Version).Select(types => (JsonNode)new JsonObject
                {
                    ["version"] = types.Key,
                    ["resources"] = new JsonArray([.. types.Select(AggregatedEntry)]),
                    ["freshness"] = "Current",
                })]),
            })]),
        };
    }

    private static IEnumerable<IGrouping<string, ResourceType>> NamedGroups(ResourceRegistry registry) =>
        registry.Types.Where(type => type.Group.Length > 0).GroupBy(type => type.Group);

    private static JsonObject Group(IGrouping<string, ResourceType> group)
    {
        var versions = group.Select(type => type.Version).Distinct().Select(version => (JsonNode)new JsonObject
        {
            ["groupVersion"] = $"{group.Key}/{version}",
            ["version"] = version,
        }).ToArray();
        return new JsonObject
        {
            ["kind"] = "APIGroup",
            ["apiVersion"] = "v1",
            ["name"] = group.Key,
            ["versions"] = new JsonArray(versions),
            ["preferredVersion"] = versions[0].DeepClone(),
        };
    }

    private static IEnumerable<JsonNode> ResourceEntries(ResourceType type)
    {
        var entry = new JsonObject
        {
            ["name"] = type.Plural,
            ["singularName"] = type.Singular,
            ["namespaced"] = type.Namespaced,
            ["kind"] = type.Kind,
            ["verbs"] = Array(type.Verbs),
        };
        AddNames(entry, type);
        yield return entry;
        foreach (var sub in Subresource.Of(type))
        {
            yield return new JsonObject
            {
                ["name"] = $"{type.Plural}/{sub.Name}",
                ["singularName"] = "",
                ["namespaced"] = type.Namespaced,
                ["group"] = sub.Group,
                ["version"] = sub.Version,
                ["kind"] = sub.Kind,
                ["verbs"] = Array(sub.Verbs),
            };
        }
    }

    private static JsonNode AggregatedEntry(ResourceType type)
    {
        var entry = new JsonObject
        {
            ["resource"] = type.Plural,
            ["responseKind"] = Kind(type.Group, type.Version, type.Kind),
            ["scope"] = type.Namespaced ? "Namespaced" : "Cluster",
            ["singularResource"] = type.Singular,
            ["verbs"] = Array(type.Verbs),
        };
        AddNames(entry, type);
        var subresources = Subresource.Of(type).Select(sub => (JsonNode)new JsonObject
        {
            ["subresource"] = sub.Name,
            ["responseKind"] = Kind(sub.Group, sub.Version, sub.Kind),
            ["verbs"] = Array(sub.Verbs),
        }).ToArray();
        if (subresources.Length > 0)
        {
            entry["subresources"] = new JsonArray(subresources);
        }
        return entry;
    }

    private static void AddNames(JsonObject entry, ResourceType type)
    {
        if (type.ShortNames.Count > 0)
        {
            entry["shortNames"] = Array(type.ShortNames);
        }
        if (type.Categories.Count > 0)
        {
            entry["categories"] = Array(type.Categories);
        }
    }

    private static JsonObject Kind(string group, string version, string kind) =>
        new() { ["group"] = group, ["version"] = version, ["kind"] = kind };

    private static JsonArray Array(IEnumerable<string> items) => new([.. items.Select(item => (JsonNode)item)]);
}
