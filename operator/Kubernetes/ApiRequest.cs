namespace Cluster.Operator.Kubernetes;

/// <summary>One call of the API, sendable more than once.</summary>
/// <param name="Path">Relative to the server, escaped; see <see cref="ResourcePath"/>.</param>
/// <param name="Query">Parameters; those with a null value are left out.</param>
/// <param name="Body">UTF-8 JSON, or null.</param>
internal sealed record ApiRequest(
    HttpMethod Method, string Path, IReadOnlyList<KeyValuePair<string, string?>> Query, byte[]? Body = null,
    string ContentType = "application/json")
{
    public string Accept { get; init; } = "application/json";

    /// <summary>Subprotocol of the WebSocket that the answer shall become; null for a plain answer.</summary>
    public string? WebSocketProtocol { get; init; }

    public string PathAndQuery
    {
        get
        {
            var query = string.Join(
                '&', Query.Where(item => item.Value is not null).Select(item => $"{item.Key}={Uri.EscapeDataString(item.Value!)}"));
            return query.Length == 0 ? Path : $"{Path}?{query}";
        }
    }
}
