using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cluster.Worker.Serving.Http;

/// <summary>JSON that was read as a tree that can be changed.</summary>
internal static class JsonText
{
    /// <summary>Of a repeated name the last value counts, as in Python and JavaScript; a tree made by the library fails at its first
    /// use.</summary>
    /// <exception cref="InvalidOperationException">A text is not valid Unicode.</exception>
    public static JsonNode? ToNode(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Null:
                return null;
            case JsonValueKind.Array:
                return new JsonArray([.. element.EnumerateArray().Select(ToNode)]);
            case JsonValueKind.Object:
                var result = new JsonObject();
                foreach (var member in element.EnumerateObject())
                {
                    result[member.Name] = ToNode(member.Value);
                }

                return result;
            case JsonValueKind.String:
                return JsonValue.Create(element.GetString());
            default:
                return JsonValue.Create(element.Clone());
        }
    }
}
