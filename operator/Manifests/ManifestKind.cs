using System.Text.Json.Nodes;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Manifests;

/// <summary>A custom kind by its definition: takes manifests as an API server with this CustomResourceDefinition would. Pure; called by
/// <c>render</c>.</summary>
internal sealed class ManifestKind
{
    private readonly KindName _kind;
    private readonly StructuralSchema _schema;

    /// <param name="definition">A CustomResourceDefinition whose first version is meant.</param>
    public ManifestKind(JsonObject definition)
    {
        var version = definition.Items("spec", "versions").First();
        _kind = new KindName(definition.Text("spec", "group")!, version.Text("name")!, definition.Text("spec", "names", "kind")!);
        _schema = StructuralSchema.Parse((JsonObject)version.At("schema", "openAPIV3Schema")!, "", []);
    }

    /// <summary>A new object from a manifest, with the schema's defaults, in namespace <c>default</c> where it names none. Unknown fields
    /// are errors, as with <c>kubectl apply --validate=strict</c>.</summary>
    /// <exception cref="ManifestException">It is not valid.</exception>
    public JsonObject Admit(JsonObject manifest)
    {
        var value = manifest.Copy();
        if (ObjectChecks.KindProblem(value, _kind) is { } problem)
        {
            throw new ManifestException(problem);
        }

        if (ObjectChecks.Prune(value, _schema) is { Count: > 0 } complaints)
        {
            throw new ManifestException(ObjectChecks.StrictDecodingProblem(_kind, complaints));
        }

        if (ObjectChecks.Validate(value, old: null, _kind, _schema, warnings: []) is { Count: > 0 } errors)
        {
            throw new ManifestException(_kind.InvalidText(value.Name(), errors));
        }

        value.Metadata().SetDefault("namespace", "default");
        return value;
    }
}
