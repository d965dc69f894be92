using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Cluster.Worker.Serving.Http;

/// <summary>How the HTTP API writes JSON: snake case, absent instead of null unless a field says otherwise, readable Unicode.</summary>
internal static class ApiJson
{
    /// <summary>Deepest nesting accepted in a request.</summary>
    public const int MaxDepth = 64;

    public static JsonSerializerOptions Options { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        MaxDepth = MaxDepth,
    };
}
