using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using k8s.Models;

namespace Cluster.Operator.Kubernetes;

/// <summary>How every API object is read and written: camelCase names, nulls left out, RFC 3339 times with seconds.
/// The one set of options for the client, the controllers and local mode, so that an object means the same everywhere.</summary>
/// <remarks>Not the library's options: those refuse no depth, fail on an enum value of a newer version and in
/// any way on a quantity that is none, and escape what no HTML will ever
/// hold.</remarks>
internal static class KubernetesJson
{
    /// <summary>Nesting an API server accepts; deeper documents are refused before they can exhaust the stack.</summary>
    public const int MaxDepth = 128;

    public static JsonSerializerOptions Options { get; } = CreateOptions(CompleteObjects);

    /// <summary>As <see cref="Options"/>, but what nobody reads is passed over: what is read so must not be written back.</summary>
    public static JsonSerializerOptions CachedFieldsOptions { get; } = CreateOptions(CompleteObjects, CachedFields.KeepOnly);

    /// <summary>How the objects of a list or watch are read.</summary>
    public static JsonSerializerOptions For(Selection? selection) => selection?.CachedFieldsOnly == true ? CachedFieldsOptions : Options;

    /// <summary>Reads a typed object out of a tree.</summary>
    /// <exception cref="JsonException">A field has the wrong type; the message holds its path.</exception>
    /// <param name="options">Default <see cref="Options"/>.</param>
    public static T Read<T>(JsonNode node, JsonSerializerOptions? options = null)
        where T : class
        => node.Deserialize<T>(options ?? Options) ?? throw new JsonException($"expected a {typeof(T).Name} object, found null");

    /// <summary>Turns a typed object into the tree that the write verbs take.</summary>
    public static JsonObject ToJsonObject<T>(T value)
        where T : class
        => JsonSerializer.SerializeToNode(value, value.GetType(), Options)?.AsObject()
           ?? throw new JsonException($"{typeof(T).Name} did not become a JSON object");

    /// <summary>API servers send metadata and spec always; that they are there spares every reader a question.</summary>
    private static void CompleteObjects(JsonTypeInfo type)
    {
        if (type.Type == typeof(V1Pod))
        {
            type.CreateObject = () => new V1Pod { Metadata = new V1ObjectMeta(), Spec = new V1PodSpec() };
        }
        else if (type.Type == typeof(V1Node))
        {
            type.CreateObject = () => new V1Node { Metadata = new V1ObjectMeta(), Spec = new V1NodeSpec() };
        }
    }

    private static JsonSerializerOptions CreateOptions(params ReadOnlySpan<Action<JsonTypeInfo>> modifiers)
    {
        DefaultJsonTypeInfoResolver resolver = new();
        foreach (var modifier in modifiers)
        {
            resolver.Modifiers.Add(modifier);
        }

        JsonSerializerOptions options = new(JsonSerializerDefaults.General)
        {
            PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
            DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
            // Nothing here is ever put into HTML; escaping would only make logs and manifests unreadable.
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            MaxDepth = MaxDepth,
            TypeInfoResolver = resolver,
            Converters = { new Rfc3339Converter(), new Rfc3339DateTimeConverter(), new TolerantEnumConverter(), new QuantityConverter() },
        };
        options.MakeReadOnly();
        return options;
    }
}
