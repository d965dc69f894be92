using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Routing;

namespace Cluster.EndToEnd.Tests.Helm;

/// <summary>One verb on one resource that a role's rule permits.</summary>
/// <param name="Scope">Namespace of the binding; null for all.</param>
/// <param name="Names">Objects it is limited to; empty for any.</param>
internal sealed record Grant(string? Scope, string Verb, string Group, string Resource, IReadOnlyList<string> Names)
{
    public bool Permits(AuditedRequest request) =>
        Verb == request.Verb && Group == request.Group && Resource == request.Resource
        && (Scope is null || Scope == request.Namespace)
        && (Names.Count == 0 || (request.Name is { } name && Names.Contains(name)));

    public override string ToString() =>
        $"{Verb} {Group}/{Resource}{(Names.Count == 0 ? "" : $" [{string.Join(',', Names)}]")} in {Scope ?? "all namespaces"}";

    /// <summary>Everything that the bindings among these objects give to a service account: RBAC's rules, without wildcards, which no role
    /// of ours has.</summary>
    public static IReadOnlyList<Grant> Of(IReadOnlyList<JsonObject> objects, string serviceAccount)
    {
        var grants = new List<Grant>();
        foreach (var binding in objects.Where(one => (string?)one["kind"] is "RoleBinding" or "ClusterRoleBinding"))
        {
            if (!binding["subjects"].Objects()
                .Any(
                    subject => (string?)subject["kind"] == "ServiceAccount"
                        && (string?)subject["name"] == serviceAccount
                        && (string?)subject["namespace"] == Chart.Namespace))
            {
                continue;
            }

            var scope = (string?)binding["metadata"]!["namespace"];
            var role = objects.OfKind((string)binding["roleRef"]!["kind"]!)
                .Single(
                    one => one.NameOf() == (string)binding["roleRef"]!["name"]!
                        && (one["metadata"]!["namespace"] is null || (string?)one["metadata"]!["namespace"] == scope));
            grants.AddRange(
                from rule in role["rules"].Objects()
                from @group in rule["apiGroups"].Texts()
                from resource in rule["resources"].Texts()
                from verb in rule["verbs"].Texts()
                select new Grant(scope, verb, @group, resource, [.. rule["resourceNames"].Texts()]));
        }

        Assert.DoesNotContain(
            grants, grant => grant.Verb == "*" || grant.Group == "*" || grant.Resource.Contains('*', StringComparison.Ordinal));
        return grants;
    }
}
