using System.Text.Json;

namespace Cluster.Operator.Gateway.Relay;

/// <summary>What an answer says of the tokens that it took, whichever API it is of.</summary>
internal static class UsageNumbers
{
    /// <summary>Reads the numbers that a client is told, for the account of its key.</summary>
    /// <returns>Whether it is a JSON object, or TGI's list of one.</returns>
    public static bool Read(RequestTrace trace, ReadOnlySpan<byte> answer)
    {
        try
        {
            var reader = new Utf8JsonReader(JsonOf(answer));
            if (!JsonDocument.TryParseValue(ref reader, out var document))
            {
                return false;
            }

            using (document)
            {
                if (document.RootElement.ValueKind != JsonValueKind.Object)
                {
                    return false;
                }

                if (document.RootElement.TryGetProperty("usage", out var usage) && usage.ValueKind == JsonValueKind.Object)
                {
                    trace.PromptTokens = Number(usage, "prompt_tokens") ?? trace.PromptTokens;
                    trace.CompletionTokens = Number(usage, "completion_tokens") ?? trace.CompletionTokens;
                    trace.CachedTokens = usage.TryGetProperty("prompt_tokens_details", out var details)
                        && details.ValueKind == JsonValueKind.Object
                            ? Number(details, "cached_tokens") ?? trace.CachedTokens
                            : trace.CachedTokens;
                }

                return true;
            }
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static int? Number(JsonElement from, string name) =>
        from.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number)
            ? number
            : null;

    /// <summary>The object of an event.</summary>
    public static byte[] JsonOf(ReadOnlySpan<byte> line)
    {
        var start = line.IndexOf((byte)'{');
        return line[Math.Max(0, start)..].TrimEnd((byte)'\n').ToArray();
    }
}
