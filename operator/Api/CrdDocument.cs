using System.Text.Json.Nodes;
using Cluster.Operator.Yaml;

namespace Cluster.Operator.Api;

/// <summary>The CustomResourceDefinition of <see cref="ModelDeployment"/>, made from the C# types so that the two cannot
/// disagree.</summary>
/// <remarks>deploy/crds/modeldeployments.yaml is <see cref="Generate"/>'s text; a test compares them. Local mode installs
/// <see cref="Build"/>'s object.</remarks>
internal static class CrdDocument
{
    private const string Header = """
        # The ModelDeployment API. Generated from operator/Api by `cluster-operator crd`; change it there.

        """;

    /// <summary>The YAML text of the CRD, with a comment that says where it comes from.</summary>
    public static string Generate() => Header + YamlJson.ToYaml(Build());

    /// <summary>The CRD as an object.</summary>
    public static JsonObject Build() => new()
    {
        ["apiVersion"] = "apiextensions.k8s.io/v1",
        ["kind"] = "CustomResourceDefinition",
        ["metadata"] = new JsonObject { ["name"] = $"{ApiNames.Plural}.{ApiNames.Group}" },
        ["spec"] = new JsonObject
        {
            ["group"] = ApiNames.Group,
            ["scope"] = "Namespaced",
            ["names"] = new JsonObject
            {
                ["kind"] = ApiNames.Kind,
                ["listKind"] = ApiNames.Kind + "List",
                ["plural"] = ApiNames.Plural,
                ["singular"] = "modeldeployment",
                ["shortNames"] = new JsonArray("mdep"),
                ["categories"] = new JsonArray("cluster"),
            },
            ["versions"] = new JsonArray(Version()),
        },
    };

    private static JsonObject Version() => new()
    {
        ["name"] = ApiNames.Version,
        ["served"] = true,
        ["storage"] = true,
        ["subresources"] = new JsonObject
        {
            ["status"] = new JsonObject(),
            ["scale"] = new JsonObject
            {
                ["specReplicasPath"] = ".spec.replicas",
                ["statusReplicasPath"] = ".status.replicas",
                ["labelSelectorPath"] = ".status.selector",
            },
        },
        ["additionalPrinterColumns"] = new JsonArray(
            Column("Ready", "integer", ".status.readyReplicas", "Replicas that answer requests."),
            Column("Desired", "integer", ".status.desiredReplicas", "Replicas that are wanted, by the spec or by autoscaling."),
            Column("Model", "string", ".spec.model.source", "Where the checkpoint comes from."),
            Column("TP", "integer", ".status.tensorParallelSize", "GPUs per replica."),
            Column("Served-As", "string", ".spec.model.servedName", "Name the API answers to; the object's name where empty.", wide: true),
            Column("HTTP", "string", ".status.endpoints.http", "OpenAI-compatible endpoint.", wide: true),
            Column("gRPC", "string", ".status.endpoints.grpc", "gRPC endpoint.", wide: true),
            Column("Progress", "string", ".status.conditions[?(@.type==\"Progressing\")].reason",
                "What the operator is doing or waiting for."),
            Column("Autoscaling", "string", ".status.conditions[?(@.type==\"Autoscaling\")].message",
                "Why there are as many replicas as there are.", wide: true),
            Column("Degraded", "string", ".status.conditions[?(@.type==\"Degraded\")].reason", "Why the deployment is degraded.",
                wide: true),
            Column("Age", "date", ".metadata.creationTimestamp", "Time since creation.")),
        ["schema"] = new JsonObject { ["openAPIV3Schema"] = RootSchema() },
    };

    private static JsonObject RootSchema()
    {
        var declared = SchemaGenerator.Generate(typeof(ModelDeployment));
        var fields = declared["properties"]!.AsObject();
        declared.Remove("properties");
        declared["properties"] = new JsonObject
        {
            ["apiVersion"] = new JsonObject { ["type"] = "string" },
            ["kind"] = new JsonObject { ["type"] = "string" },
            ["metadata"] = new JsonObject { ["type"] = "object" },
            ["spec"] = fields["spec"]!.DeepClone(),
            ["status"] = fields["status"]!.DeepClone(),
        };
        return declared;
    }

    private static JsonObject Column(string name, string type, string jsonPath, string description, bool wide = false)
    {
        JsonObject column = new() { ["name"] = name, ["type"] = type, ["jsonPath"] = jsonPath, ["description"] = description };
        if (wide)
        {
            // kubectl shows priority 0 always, the others with -o wide.
            column["priority"] = 1;
        }

        return column;
    }
}
