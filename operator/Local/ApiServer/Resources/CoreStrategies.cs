using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;
using Cluster.Operator.Manifests.Schema;

namespace Cluster.Operator.Local.ApiServer.Resources;

/// <summary>A namespace is Active with the finalizer that keeps it until it is empty.</summary>
internal sealed class NamespaceStrategy : ResourceStrategy
{
    public const string Finalizer = "kubernetes";

    public override void PrepareForCreate(JsonObject value)
    {
        value["spec"] = new JsonObject { ["finalizers"] = new JsonArray(Finalizer) };
        value["status"] = new JsonObject { ["phase"] = "Active" };
        value.Metadata().Child("labels")["kubernetes.io/metadata.name"] = value.Name();
    }
}

/// <summary>stringData becomes data; the type is fixed at creation.</summary>
internal sealed class SecretStrategy : ResourceStrategy
{
    public override void PrepareForCreate(JsonObject value) => Normalize(value);

    public override void PrepareForUpdate(JsonObject value, JsonObject old, string? subresource) => Normalize(value);

    public override IEnumerable<FieldError> Validate(JsonObject value, JsonObject? old, string? subresource)
    {
        foreach (var (key, data) in value["data"] as JsonObject ?? [])
        {
            if (data.Text() is not { } text || !Convert.TryFromBase64String(text, new byte[text.Length], out _))
            {
                yield return FieldError.Invalid($"data[{key}]", "\"\"", "must be base64");
            }
        }
        if (old is not null && old.Text("type") != value.Text("type"))
        {
            yield return FieldError.Invalid("type", $"\"{value.Text("type")}\"", "field is immutable");
        }
    }

    private static void Normalize(JsonObject value)
    {
        value.SetDefault("type", "Opaque");
        if (value["stringData"] is JsonObject plain)
        {
            foreach (var (key, text) in plain)
            {
                value.Child("data")[key] = Convert.ToBase64String(Encoding.UTF8.GetBytes(text.Text() ?? ""));
            }
            value.Remove("stringData");
        }
    }
}

/// <summary>Ports, type and a cluster address. Nothing routes to the address in local mode; it is there because clients show it.</summary>
internal sealed class ServiceStrategy : ResourceStrategy
{
    private int _lastAddress;

    public override void PrepareForCreate(JsonObject value)
    {
        var spec = value.Child("spec");
        spec.SetDefault("type", "ClusterIP");
        spec.SetDefault("sessionAffinity", "None");
        if (spec.Text("clusterIP") is null && spec.Text("type") != "ExternalName")
        {
            var n = Interlocked.Increment(ref _lastAddress);
            spec["clusterIP"] = string.Create(CultureInfo.InvariantCulture, $"10.96.{(n >> 8) & 0xff}.{n & 0xff}");
        }
        if (spec.Text("clusterIP") is { } address)
        {
            spec.SetDefault("clusterIPs", new JsonArray(address));
        }
        DefaultPorts(spec);
        value["status"] = new JsonObject { ["loadBalancer"] = new JsonObject() };
    }

    public override void PrepareForUpdate(JsonObject value, JsonObject old, string? subresource)
    {
        var spec = value.Child("spec");
        if (spec.Text("clusterIP") is "")
        {
            spec.Remove("clusterIP");
        }
        foreach (var name in new[] { "clusterIP", "clusterIPs", "type", "sessionAffinity" })
        {
            spec.SetDefault(name, old.At("spec", name)?.DeepClone());
        }

        // Who changes the one address means the first of the list (registry/core/service, NormalizeClusterIPs).
        if (spec.Text("clusterIP") is { } address
            && address != old.Text("spec", "clusterIP")
            && spec["clusterIPs"] is JsonArray { Count: > 0 } addresses
            && addresses[0].Text() == old.Text("spec", "clusterIP"))
        {
            addresses[0] = address;
        }
        DefaultPorts(spec);
    }

    public override IEnumerable<FieldError> Validate(JsonObject value, JsonObject? old, string? subresource)
    {
        var address = value.Texts("spec", "clusterIPs").FirstOrDefault();
        if (old?.Texts("spec", "clusterIPs").FirstOrDefault() is { } before
            && before != address
            && value.Text("spec", "type") != "ExternalName")
        {
            yield return FieldError.Invalid(
                "spec.clusterIPs[0]", JsonText.ToText(value.At("spec", "clusterIPs")), "may not change once set");
        }
    }

    private static void DefaultPorts(JsonObject spec)
    {
        foreach (var port in spec.Items("ports").OfType<JsonObject>())
        {
            port.SetDefault("protocol", "TCP");
            port.SetDefault("targetPort", port["port"]?.DeepClone());
        }
    }
}

/// <summary>A claim waits for a volume.</summary>
internal sealed class VolumeClaimStrategy : ResourceStrategy
{
    public override void PrepareForCreate(JsonObject value)
    {
        value.Child("spec").SetDefault("volumeMode", "Filesystem");
        value["status"] = new JsonObject { ["phase"] = "Pending" };
    }
}
