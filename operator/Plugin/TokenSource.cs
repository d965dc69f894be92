using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Common;

namespace Cluster.Operator.Plugin;

/// <summary>Token ids to make prompts of, without a tokenizer: the server itself is asked how it would write some English.</summary>
internal static class TokenSource
{
    private const int Fewest = 16;

    /// <summary>Words of many beginnings and lengths, so that many different ids come of them.</summary>
    private const string Words = """
        The quick brown fox jumps over a lazy dog while seven bright stars hang above the quiet harbour. Every morning our baker opens
        his window, lights an old oven and hums about rivers, mountains, ships and forgotten kingdoms. Under winter skies children build
        castles from snow; in summer they gather apples, plums and stories. Engineers measure voltage, pressure, distance and time, then
        write down what they have learned. Nobody knows why zebras prefer violet flowers, but exactly twelve experts are paid to find out.
        Memory fades, paper yellows, yet numbers stay: 0 1 2 3 4 5 6 7 8 9. Ask again tomorrow, says the judge, and bring evidence.
        """;

    /// <param name="server">As messages name it.</param>
    /// <exception cref="CommandFailure">The server cannot be asked, or does not answer as such a server does.</exception>
    public static async Task<IReadOnlyList<int>> ReadAsync(
        HttpClient http, string model, string server, CancellationToken cancellationToken)
    {
        var address = new Uri(http.BaseAddress!.AbsoluteUri.TrimEnd('/') + "/tokenize");
        try
        {
            using var response = await http.PostAsJsonAsync(
                address, new JsonObject { ["model"] = model, ["prompt"] = Words, ["add_special_tokens"] = false }, cancellationToken);
            var text = await response.Content.ReadAsStringAsync(cancellationToken);
            if (!response.IsSuccessStatusCode)
            {
                throw new CommandFailure(
                    $"{server} answered /tokenize with {(int)response.StatusCode}: {(text.Length > 500 ? text[..500] + "…" : text)}"
                    + (response.StatusCode == System.Net.HttpStatusCode.Unauthorized ? $" (a key is taken from {ApiKey.Variable})" : ""));
            }

            int[] ids = [.. (JsonNode.Parse(text)?["tokens"] as JsonArray ?? []).Select(token => token!.GetValue<int>()).Distinct()];
            return ids.Length >= Fewest ? ids
                : throw new CommandFailure($"{server} makes {ids.Length} different tokens of a page of English; {Fewest} are needed");
        }
        catch (HttpRequestException error)
        {
            throw new CommandFailure($"{server} cannot be reached: {ReplicaHttp.Reason(error)}", error);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException)
        {
            throw new CommandFailure($"{server} does not answer /tokenize with tokens: {error.Message}", error);
        }
    }
}
