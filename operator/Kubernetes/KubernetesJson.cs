using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Cluster.Operator.Kubernetes;

/// <summary>How every API object is read and written: camelCase names, nulls left out, RFC 3339 times with seconds.
/// The one set of options for the client, the controllers and local mode, so that an object means the same everywhere.</summary>
internal static class KubernetesJson
{
    /// <summary>Nesting an API server accepts; deeper documents are refused before they can exhaust the stack.</summary>
    public const int MaxDepth = 128;

    public static JsonSerializerOptions Options { get; } = CreateOptions();

    /// <summary>As <see cref="Options"/>, but fields without a property are passed over instead of kept: what is read so must not be written back.</summary>
    private static JsonSerializerOptions KnownFields { get; } = CreateKnownFields();

    /// <summary>How the objects of a list or watch are read.</summary>
    public static JsonSerializerOptions For(Selection? selection) => selection?.KnownFieldsOnly == true ? KnownFields : Options;

    /// <summary>Reads a typed object out of a tree.</summary>
    /// <exception cref="JsonException">A field has the wrong type; the message holds its path.</exception>
    public static T Read<T>(JsonNode node)
        where T : class
        => node.Deserialize<T>(Options) ?? throw new JsonException($"expected a {typeof(T).Name} object, found null");

    /// <summary>Turns a typed object into the tree that the write verbs take.</summary>
    public static JsonObject ToJsonObject<T>(T value)
        where T : class
        => JsonSerializer.SerializeToNode(value, value.GetType(), Options)?.AsObject()
           ?? throw new JsonException($"{typeof(T).Name} did not become a JSON object");

    private static JsonSerializerOptions CreateKnownFields()
    {
        DefaultJsonTypeInfoResolver resolver = new();
        resolver.Modifiers.Add(type =>
        {
            if (type.Properties.FirstOrDefault(p => p.IsExtensionData) is { } rest)
            {
                type.Properties.Remove(rest);
            }
        });
        JsonSerializerOptions options = new(Options) { TypeInfoResolver = resolver };
        options.MakeReadOnly();
        return options;
    }

    private static JsonSerializerOptions CreateOptions()
    {
        JsonSerializerOptions options = new(JsonSerializerDefaults.General)
        {
            PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
            DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
            // Nothing here is ever put into HTML; escaping would only make logs and manifests unreadable.
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            MaxDepth = MaxDepth,
            Converters = { new Rfc3339Converter(), new TolerantEnumConverter() },
        };
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }
}
