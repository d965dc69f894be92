using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Yaml;

namespace Cluster.Operator.Tests.Api;

public class CrdDocumentTests
{
    private static readonly JsonObject Version = CrdDocument.Build()["spec"]!["versions"]![0]!.AsObject();
    private static readonly JsonObject Root = Version["schema"]!["openAPIV3Schema"]!.AsObject();

    [Fact]
    public void The_file_in_deploy_is_the_generated_one()
    {
        var file = Path.Combine(RepositoryRoot.Path, "deploy", "crds", "modeldeployments.yaml");
        var generated = CrdDocument.Generate();
        if (!File.Exists(file) || File.ReadAllText(file) != generated)
        {
            var fresh = Path.Combine(AppContext.BaseDirectory, "modeldeployments.yaml");
            File.WriteAllText(fresh, generated);
            Assert.Fail($"{file} is out of date; replace it by `cluster-operator crd`, or copy {fresh}");
        }
    }

    [Fact]
    public void The_text_reads_back_as_the_object()
        => Assert.Equal(CrdDocument.Build().ToJsonString(), YamlJson.Parse(CrdDocument.Generate(), "crd")!.ToJsonString());

    [Fact]
    public void Every_field_says_what_it_means()
    {
        List<string> silent = [];
        Walk(Root["properties"]!["spec"]!.AsObject(), "spec");
        Walk(Root["properties"]!["status"]!.AsObject(), "status");
        Assert.Empty(silent);

        void Walk(JsonObject schema, string path)
        {
            if (!schema.ContainsKey("description") && !path.EndsWith("[]", StringComparison.Ordinal))
            {
                silent.Add(path);
            }

            foreach ((var name, var field) in schema["properties"]?.AsObject() ?? [])
            {
                Walk(field!.AsObject(), $"{path}.{name}");
            }

            if (schema["items"] is JsonObject items)
            {
                Walk(items, $"{path}[]");
            }
        }
    }

    /// <summary>The rules of a structural schema that the generator could break: kubernetes.io, "Specifying a structural schema".</summary>
    [Fact]
    public void The_schema_is_structural()
    {
        Walk(Root, "");

        static void Walk(JsonObject schema, string path)
        {
            var intOrString = (bool?)schema["x-kubernetes-int-or-string"] == true;
            Assert.True(schema.ContainsKey("type") != intOrString, $"{path}: type, or int-or-string");
            Assert.False(schema.ContainsKey("properties") && schema.ContainsKey("additionalProperties"), path);
            Assert.False(schema.ContainsKey("$ref") || schema.ContainsKey("nullable"), path);
            if ((string?)schema["type"] == "array")
            {
                Walk(schema["items"]!.AsObject(), $"{path}[]");
                foreach (var key in schema["x-kubernetes-list-map-keys"]?.AsArray() ?? [])
                {
                    Assert.Contains((string)key!, schema["items"]!["required"]!.AsArray().Select(item => (string)item!));
                }
            }

            foreach ((var name, var field) in schema["properties"]?.AsObject() ?? [])
            {
                Walk(field!.AsObject(), $"{path}.{name}");
            }
        }
    }

    [Fact]
    public void Defaults_of_the_schema_and_of_the_types_agree()
    {
        JsonObject manifest = new()
        {
            ["metadata"] = new JsonObject { ["name"] = "m" },
            ["spec"] = new JsonObject { ["model"] = new JsonObject { ["source"] = "file:///m" } },
        };
        var byTypes = ModelDeploymentDefaults.Apply(KubernetesJson.Read<ModelDeployment>(manifest));
        var bySchema = manifest.DeepClone().AsObject();
        SchemaDefaults.Apply(Root, bySchema);

        Assert.Equal("Pinned", (string)bySchema["spec"]!["gpu"]!["allocation"]!);
        JsonNode fromSchema = KubernetesJson.ToJsonObject(KubernetesJson.Read<ModelDeployment>(bySchema));
        Assert.True(
            JsonNode.DeepEquals(KubernetesJson.ToJsonObject(byTypes), fromSchema), $"{KubernetesJson.ToJsonObject(byTypes)}\n{fromSchema}");
    }

    [Fact]
    public void Explicit_nulls_get_defaults_too()
    {
        var deployment = KubernetesJson.Read<ModelDeployment>(JsonNode.Parse(
            """{"metadata":{"name":"m"},"spec":{"model":null,"gpu":null,"engine":null,"tuning":{"ncclMinNChannels":null},"rollout":null}}""")!);
        var spec = ModelDeploymentDefaults.Apply(deployment).Spec;
        Assert.Equal(
            (GpuAllocation.Pinned, "amd.com/gpu", 1, "Auto"),
            (spec.Gpu.Allocation, spec.Gpu.ResourceName, spec.Rollout.MaxUnavailable, (string)spec.Tuning.NcclMinNChannels!));
        Assert.NotNull(spec.Engine);
        Assert.Equal("", spec.Model.Source);
    }

    [Fact]
    public void Scale_status_columns_and_names_are_what_kubectl_needs()
    {
        Assert.Equal(".spec.replicas", (string)Version["subresources"]!["scale"]!["specReplicasPath"]!);
        Assert.Equal(".status.selector", (string)Version["subresources"]!["scale"]!["labelSelectorPath"]!);
        Assert.NotNull(Version["subresources"]!["status"]);
        Assert.Equal(
            ["Ready", "Desired", "Model", "TP", "Progress", "Age"],
            Version["additionalPrinterColumns"]!.AsArray().Where(column => column!["priority"] is null)
                .Select(column => (string)column!["name"]!));
        Assert.Equal("mdep", (string)CrdDocument.Build()["spec"]!["names"]!["shortNames"]![0]!);
    }

    [Fact]
    public void Only_the_source_is_required_in_the_spec()
    {
        var spec = Root["properties"]!["spec"]!.AsObject();
        Assert.Equal("""["model"]""", spec["required"]!.ToJsonString());
        Assert.Equal("""["source"]""", spec["properties"]!["model"]!["required"]!.ToJsonString());
        Assert.Equal("""["spec"]""", Root["required"]!.ToJsonString());
    }

    [Fact]
    public void Int_or_string_and_free_form_fields_are_declared_as_such()
    {
        var spec = Root["properties"]!["spec"]!["properties"]!.AsObject();
        Assert.True((bool)spec["tuning"]!["properties"]!["ncclMinNChannels"]!["x-kubernetes-int-or-string"]!);
        Assert.True((bool)spec["podTemplate"]!["x-kubernetes-preserve-unknown-fields"]!);
        Assert.Equal("self == oldSelf", (string)spec["gpu"]!["properties"]!["allocation"]!["x-kubernetes-validations"]![0]!["rule"]!);
    }
}
