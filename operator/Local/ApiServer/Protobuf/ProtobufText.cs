using System.Text;
using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Protobuf;

/// <summary>Bodies of <c>application/vnd.kubernetes.protobuf</c> as JSON trees: kubectl's typed commands (<c>create configmap</c>, <c>auth
/// can-i</c>, <c>drain</c>) send nothing else.</summary>
/// <remarks><code>"k8s\0" | Unknown{1: TypeMeta{1: apiVersion, 2: kind}, 2: raw message, …}</code>
/// A field with a value that <see cref="MessageLayout"/> does not know refuses the request: dropping it would store something else than was
/// sent.</remarks>
internal static class ProtobufText
{
    public const string MediaType = "application/vnd.kubernetes.protobuf";

    private const int MaxDepth = 16;

    /// <exception cref="ApiException">400 when malformed, 415 for a kind or field outside the table.</exception>
    public static JsonObject Parse(ReadOnlySpan<byte> bytes)
    {
        if (!bytes.StartsWith("k8s\0"u8))
        {
            throw ApiErrors.BadRequest("the protobuf body does not start with the Kubernetes envelope (\"k8s\\0\")");
        }
        var (apiVersion, kind) = ("", "");
        ReadOnlySpan<byte> raw = default;
        var envelope = new WireReader(bytes[4..]);
        while (envelope.Next())
        {
            if (envelope.Number == 1)
            {
                var type = new WireReader(envelope.Content);
                while (type.Next())
                {
                    (apiVersion, kind) = type.Number switch
                    {
                        1 => (Encoding.UTF8.GetString(type.Content), kind),
                        2 => (apiVersion, Encoding.UTF8.GetString(type.Content)),
                        _ => (apiVersion, kind)
                    };
                }
            }
            else if (envelope.Number == 2)
            {
                raw = envelope.Content;
            }
        }
        var value = Message(raw, MessageLayout.NameOf(apiVersion, kind), 0) as JsonObject ?? [];
        value["apiVersion"] = apiVersion;
        value["kind"] = kind;
        return value;
    }

    private static JsonNode? Message(ReadOnlySpan<byte> bytes, string name, int depth)
    {
        var layout = MessageLayout.Of(name) ?? throw Unknown(name);
        if (depth > MaxDepth)
        {
            throw ApiErrors.BadRequest($"the protobuf body nests deeper than {MaxDepth} messages");
        }
        var result = new JsonObject();
        var reader = new WireReader(bytes);
        while (reader.Next())
        {
            if (!layout.TryGetValue(reader.Number, out var field))
            {
                if (SaysNothing(ref reader, depth))
                {
                    continue;
                }
                throw Unknown($"{name}, field {reader.Number}");
            }
            if (field.Content is FieldContent.TextMap or FieldContent.BytesMap)
            {
                AddEntry(result.Child(field.Name), reader.Content, field.Content);
            }
            else if (field.Repeated)
            {
                if (result[field.Name] is not JsonArray items)
                {
                    result[field.Name] = items = [];
                }
                items.Add(Value(ref reader, field, depth));
            }
            else if (field.Keep || !reader.IsZero)
            {
                var value = Value(ref reader, field, depth);
                if (field.Keep || value is not JsonObject { Count: 0 })
                {
                    result[field.Name] = value;
                }
            }
        }
        return name == "Quantity" ? result.Text("string")
            : name == "IntOrString"
            ? result.Integer("type") == 1 ? result.Text("strVal") : result.Integer("intVal")
            : result;
    }

    private static JsonNode? Value(ref WireReader reader, FieldLayout field, int depth) => field.Content switch
    {
        FieldContent.Text => Encoding.UTF8.GetString(reader.Content),
        FieldContent.Integer => (long)reader.Integer,
        FieldContent.Boolean => reader.Integer != 0,
        _ => Message(reader.Content, field.Message!, depth + 1),
    };

    private static void AddEntry(JsonObject map, ReadOnlySpan<byte> entry, FieldContent content)
    {
        var key = "";
        ReadOnlySpan<byte> value = default;
        var reader = new WireReader(entry);
        while (reader.Next())
        {
            if (reader.Number == 1)
            {
                key = Encoding.UTF8.GetString(reader.Content);
            }
            else if (reader.Number == 2)
            {
                value = reader.Content;
            }
        }
        map[key] = content == FieldContent.TextMap ? Encoding.UTF8.GetString(value) : Convert.ToBase64String(value);
    }

    // Go writes absent structs as messages of empty fields (a status, a resources block).
    private static bool SaysNothing(ref WireReader field, int depth)
    {
        if (field.IsZero)
        {
            return true;
        }
        if (field.Content.IsEmpty || depth > MaxDepth)
        {
            return false;
        }
        try
        {
            var inner = new WireReader(field.Content);
            while (inner.Next())
            {
                if (!SaysNothing(ref inner, depth + 1))
                {
                    return false;
                }
            }
            return true;
        }
        catch (ApiException)
        {
            // Not a message: text, which does say something.
            return false;
        }
    }

    private static ApiException Unknown(string what) =>
        ApiErrors.UnsupportedMediaType($"application/json, application/yaml (protobuf is read in part: {what} is not known)");
}
