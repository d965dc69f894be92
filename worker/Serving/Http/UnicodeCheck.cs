using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Unicode;

namespace Cluster.Worker.Serving.Http;

/// <summary>A body may be valid JSON and hold strings that are no text: an unpaired surrogate (<c>"\ud83d"</c>, half an emoji, which
/// clients write that cut texts by their length), or bytes that are not UTF-8. Called by <see cref="RequestFields"/>, once for all
/// strings.</summary>
internal static class UnicodeCheck
{
    /// <exception cref="ApiException">A string or a name is no text; the path leads there.</exception>
    public static void Require(JsonElement root)
    {
        var bytes = JsonMarshal.GetRawUtf8Value(root);

        // Almost every body has neither, and is not gone through a second time.
        if (!Utf8.IsValid(bytes) || bytes.IndexOf("\\ud"u8) >= 0 || bytes.IndexOf("\\uD"u8) >= 0)
        {
            Visit(root, "");
        }
    }

    private static void Visit(JsonElement element, string path)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.String:
                RequestFields.Text(element, path);
                break;
            case JsonValueKind.Array:
                var index = 0;
                foreach (var item in element.EnumerateArray())
                {
                    if (item.ValueKind != JsonValueKind.Number)
                    {
                        Visit(item, $"{path}[{index}]");
                    }

                    index++;
                }

                break;
            case JsonValueKind.Object:
                foreach (var member in element.EnumerateObject())
                {
                    Visit(member.Value, path.Length == 0 ? NameOf(member, path) : $"{path}.{NameOf(member, path)}");
                }

                break;
        }
    }

    private static string NameOf(JsonProperty member, string path)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException)
        {
            throw path.Length == 0
                ? ApiException.BadRequest("a field's name is not valid Unicode text")
                : ApiException.BadRequest($"a name in '{path}' is not valid Unicode text", path);
        }
    }
}
