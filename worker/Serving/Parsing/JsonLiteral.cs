using System.Text.Encodings.Web;
using System.Text.Json;

namespace Cluster.Worker.Serving.Parsing;

/// <summary>JSON as arguments are written: readable Unicode.</summary>
internal static class JsonLiteral
{
    /// <summary>Deepest nesting that is read.</summary>
    public const int MaxDepth = 64;

    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Quote(string text) => JsonSerializer.Serialize(text, Readable);

    public static bool IsValid(string text, params ReadOnlySpan<JsonValueKind> kinds)
    {
        try
        {
            using var json = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = MaxDepth });
            return kinds.Length == 0 || kinds.Contains(json.RootElement.ValueKind);
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
