using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Cluster.Operator.Manifests;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Resources;

/// <summary>CustomResourceDefinitions: checks them, accepts their names, and registers the kinds they define. A stored CRD is served at
/// once, so Established is set with the write.</summary>
internal sealed partial class CustomResourceDefinitionStrategy(ResourceRegistry registry) : ResourceStrategy
{
    /// <summary>Keeps a CRD until its objects are gone; taken off by <see cref="Writing.GarbageCollector"/>.</summary>
    public const string CleanupFinalizer = "customresourcecleanup.apiextensions.k8s.io";

    private readonly System.Collections.Concurrent.ConcurrentDictionary<string, string> _servedSpecs = [];

    public override void PrepareForCreate(JsonObject value)
    {
        Default(value);
        value["status"] = new JsonObject();
        SetStatus(value);
        var metadata = value.Metadata();
        if (metadata["finalizers"] is not JsonArray finalizers)
        {
            metadata["finalizers"] = finalizers = [];
        }
        if (!finalizers.Any(f => f.Text() == CleanupFinalizer))
        {
            finalizers.Add(CleanupFinalizer);
        }
    }

    public override void PrepareForUpdate(JsonObject value, JsonObject old, string? subresource)
    {
        Default(value);
        SetStatus(value);
    }

    public override IEnumerable<FieldError> Validate(JsonObject value, JsonObject? old, string? subresource)
    {
        var errors = new List<FieldError>();
        var spec = value["spec"];
        var (group, plural, kind) = (spec.Text("group") ?? "", spec.Text("names", "plural") ?? "", spec.Text("names", "kind") ?? "");
        if (group.Length == 0)
        {
            errors.Add(FieldError.Required("spec.group"));
        }
        if (plural.Length == 0)
        {
            errors.Add(FieldError.Required("spec.names.plural"));
        }
        if (kind.Length == 0)
        {
            errors.Add(FieldError.Required("spec.names.kind"));
        }
        if (errors.Count == 0 && value.Name() != $"{plural}.{group}")
        {
            errors.Add(FieldError.Invalid("metadata.name", $"\"{value.Name()}\"", $"must be spec.names.plural+\".\"+spec.group"));
        }
        if (spec.Text("scope") is not ("Namespaced" or "Cluster"))
        {
            errors.Add(FieldError.NotSupported("spec.scope", $"\"{spec.Text("scope")}\"", ["\"Cluster\"", "\"Namespaced\""]));
        }
        var versions = spec.Items("versions").ToList();
        if (versions.Count(version => version.Flag("storage")) != 1)
        {
            errors.Add(
                FieldError.Invalid(
                    "spec.versions", versions.Count.ToString(System.Globalization.CultureInfo.InvariantCulture),
                    "must have exactly one version marked as storage version"));
        }
        for (var i = 0; i < versions.Count; i++)
        {
            var path = $"spec.versions[{i}].schema.openAPIV3Schema";
            if (versions[i].At("schema", "openAPIV3Schema") is not JsonObject schema)
            {
                errors.Add(FieldError.Required(path, "schemas are required"));
            }
            else
            {
                StructuralSchema.Parse(schema, path, errors);
            }
            if (versions[i].Text("name") is not { } name || !VersionName().IsMatch(name))
            {
                errors.Add(
                    FieldError.Invalid(
                        $"spec.versions[{i}].name", $"\"{versions[i].Text("name")}\"",
                        "must be a version name such as v1, v1beta1 or v1alpha1"));
            }
        }
        return errors;
    }

    public override void Stored(JsonObject value)
    {
        var spec = (JsonObject)value["spec"]!;
        var text = JsonText.ToText(spec);
        if (_servedSpecs.TryGetValue(value.Name(), out var served) && served == text)
        {
            return;
        }
        _servedSpecs[value.Name()] = text;
        registry.Replace(spec.Text("group")!, spec.Text("names", "plural")!, CustomResourceTypes.Define(spec));
    }

    public override void Removed(JsonObject value)
    {
        _servedSpecs.TryRemove(value.Name(), out _);
        registry.Replace(value.Text("spec", "group")!, value.Text("spec", "names", "plural")!, []);
    }

    private static void Default(JsonObject value)
    {
        if (value["spec"] is not JsonObject spec)
        {
            return;
        }
        spec.SetDefault("conversion", new JsonObject { ["strategy"] = "None" });
        if (spec["names"] is JsonObject names && names.Text("kind") is { } kind)
        {
            names.SetDefault("singular", kind.ToLowerInvariant());
            names.SetDefault("listKind", $"{kind}List");
        }
    }

    private static void SetStatus(JsonObject value)
    {
        var status = value.Child("status");
        var since = value.Text("metadata", "creationTimestamp");
        status["acceptedNames"] = value.At("spec", "names")?.DeepClone() ?? new JsonObject();
        status["conditions"] = new JsonArray(
            Condition("NamesAccepted", "NoConflicts", "no conflicts found", since),
            Condition("Established", "InitialNamesAccepted", "the initial names have been accepted", since));
        var stored = value.Items("spec", "versions").FirstOrDefault(version => version.Flag("storage")).Text("name");
        var versions = status.Texts("storedVersions").ToList();
        if (stored is not null && !versions.Contains(stored))
        {
            versions.Add(stored);
        }
        status["storedVersions"] = new JsonArray([.. versions.Select(version => (JsonNode)version)]);
    }

    private static JsonObject Condition(string type, string reason, string message, string? since) => new()
    {
        ["lastTransitionTime"] = since,
        ["message"] = message,
        ["reason"] = reason,
        ["status"] = "True",
        ["type"] = type,
    };

    [GeneratedRegex("^v[0-9]+((alpha|beta)[0-9]+)?$")]
    private static partial Regex VersionName();
}
