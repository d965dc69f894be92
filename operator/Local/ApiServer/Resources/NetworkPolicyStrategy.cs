using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Resources;

/// <summary>NetworkPolicies are stored, not enforced: every pod of local mode is on the loopback. A policy without policyTypes is about
/// ingress, and about egress if it has rules for it.</summary>
internal sealed class NetworkPolicyStrategy : ResourceStrategy
{
    public override void PrepareForCreate(JsonObject value) => Default(value);

    public override void PrepareForUpdate(JsonObject value, JsonObject old, string? subresource) => Default(value);

    public override IEnumerable<FieldError> Validate(JsonObject value, JsonObject? old, string? subresource)
    {
        foreach (var type in value.Texts("spec", "policyTypes"))
        {
            if (type is not ("Ingress" or "Egress"))
            {
                yield return FieldError.NotSupported("spec.policyTypes", $"\"{type}\"", ["\"Egress\"", "\"Ingress\""]);
            }
        }
    }

    private static void Default(JsonObject value)
    {
        var spec = value.Child("spec");
        spec.SetDefault("podSelector", new JsonObject());
        spec.SetDefault("policyTypes", spec["egress"] is null ? new JsonArray("Ingress") : new JsonArray("Ingress", "Egress"));
        foreach (var port in spec.Items("ingress").Concat(spec.Items("egress")).SelectMany(rule => rule.Items("ports"))
            .OfType<JsonObject>())
        {
            port.SetDefault("protocol", "TCP");
        }
    }
}
