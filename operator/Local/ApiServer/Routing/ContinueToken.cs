using System.Text;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer.Store;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary>Where the next page of a list starts and of which version it is a page. Opaque to clients.</summary>
/// <param name="Version">0 for whatever is the newest: a list that goes on after its version has expired.</param>
internal sealed record ContinueToken(long Version, ObjectKey After)
{
    public string Encode() =>
        Convert.ToBase64String(JsonText.Serialize(new JsonObject { ["v"] = Version, ["ns"] = After.Namespace, ["name"] = After.Name }));

    /// <exception cref="ApiException">400 when the text is not such a token.</exception>
    public static ContinueToken Decode(string text)
    {
        var bytes = new byte[text.Length];
        if (Convert.TryFromBase64String(text, bytes, out var length)
            && JsonReading.Parse(bytes.AsSpan(0, length)) is { } token
            && token.Integer("v") is { } version && token.Text("name") is { } name && token.Text("ns") is { } space)
        {
            return new(version, new ObjectKey(space, name));
        }
        throw ApiErrors.BadRequest($"continue key is not valid: {Encoding.UTF8.GetByteCount(text)} bytes that no list returned");
    }
}
