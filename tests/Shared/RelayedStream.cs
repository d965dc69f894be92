using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Cluster.Tests.Shared;

/// <summary>An event of a stream as a gateway gets it: what it passes on, and the mark before it.</summary>
/// <param name="Choice">Null for an event that belongs to none.</param>
/// <param name="Tokens">Since the last event of the choice.</param>
/// <param name="CachedTokens">Where the mark tells them.</param>
/// <param name="Text">The event to the last byte.</param>
internal sealed record RelayedEvent(int? Choice, int[] Tokens, int? CachedTokens, string Text);

/// <summary>What a gateway knows of a stream that a worker sends it in marked events, and the envelope by which another worker goes on with
/// it.</summary>
internal sealed record RelayedStream(IReadOnlyList<RelayedEvent> Events)
{
    public const string ContentType = "application/vnd.cluster.request+json";
    public const string KeyHeader = "x-cluster-gateway-key";
    public const string Key = "a-key-of-tests";

    private const string MarkStart = ": cluster ";

    public static RelayedStream Nothing { get; } = new([]);

    /// <summary>What a client has been sent.</summary>
    public string Text => string.Concat(Events.Select(one => one.Text));

    /// <summary>Whole events only: one that is torn was never sent.</summary>
    /// <exception cref="FormatException">An event without a mark.</exception>
    public static RelayedStream Parse(string body)
    {
        var events = new List<RelayedEvent>();
        for (var position = 0; position < body.Length;)
        {
            var mark = body.IndexOf('\n', position);
            if (mark < 0)
            {
                break;
            }

            var end = EndOf(body, mark + 1);
            if (end < 0)
            {
                break;
            }

            events.Add(Parse(body[position..mark], body[(mark + 1)..end]));
            position = end;
        }

        return new RelayedStream(events);
    }

    public RelayedStream First(int count) => new([.. Events.Take(count)]);

    public RelayedStream Then(RelayedStream rest) => new([.. Events, .. rest.Events]);

    /// <summary>Without the client's body.</summary>
    public JsonObject State(string id = "0123", long created = 1764500000, long seed = 20261130)
    {
        var envelope = new JsonObject { ["id"] = id, ["created"] = created, ["seed"] = seed };
        var choices = new JsonArray();
        foreach (var choice in Enumerable.Range(0, 1 + (Events.Max(one => one.Choice) ?? -1)))
        {
            var own = Events.Where(one => one.Choice == choice).ToArray();
            var delivered = new JsonObject
            {
                ["tokens"] = new JsonArray([.. own.SelectMany(one => one.Tokens).Select(token => (JsonNode)token)]),
                ["events"] = own.Length,
            };
            if (own.Select(one => one.CachedTokens).FirstOrDefault(cached => cached is not null) is { } known)
            {
                delivered["cachedTokens"] = known;
            }

            choices.Add(delivered);
        }

        if (choices.Count > 0)
        {
            envelope["choices"] = choices;
            envelope["trailing"] = Events.Count(one => one.Choice is null);
        }

        return envelope;
    }

    /// <summary>A request to a worker: from the beginning, or from where this stream ends.</summary>
    public HttpRequestMessage Request(Uri address, string path, string body, string id = "0123", string? key = Key)
    {
        var envelope = State(id);
        envelope["request"] = JsonNode.Parse(body);
        var content = new StringContent(envelope.ToJsonString(), Encoding.UTF8);
        content.Headers.ContentType = new System.Net.Http.Headers.MediaTypeHeaderValue(ContentType);
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(address, path)) { Content = content };
        if (key is not null)
        {
            request.Headers.Add(KeyHeader, key);
        }

        return request;
    }

    /// <summary>Reads what comes, however it ends.</summary>
    /// <param name="enough">Is told of the whole events so far; true leaves the rest.</param>
    public static async Task<RelayedStream> ReadAsync(HttpClient client, HttpRequestMessage request, Func<int, bool>? enough = null)
    {
        using (request)
        {
            using var response = await BeginAsync(client, request);
            if (response is null)
            {
                return Nothing;
            }

            if (!response.IsSuccessStatusCode)
            {
                throw new HttpRequestException(
                    $"{(int)response.StatusCode}: {await response.Content.ReadAsStringAsync()}", null, response.StatusCode);
            }

            using var body = await response.Content.ReadAsStreamAsync();
            using var bytes = new MemoryStream();
            var buffer = new byte[4096];
            try
            {
                while (await body.ReadAsync(buffer) is > 0 and var read)
                {
                    bytes.Write(buffer, 0, read);
                    if (enough?.Invoke(Parse(Encoding.UTF8.GetString(bytes.ToArray())).Events.Count) == true)
                    {
                        break;
                    }
                }
            }
            catch (Exception exception) when (exception is IOException or HttpRequestException)
            {
                // It breaks off; what came counts.
            }

            return Parse(Encoding.UTF8.GetString(bytes.ToArray()));
        }
    }

    /// <returns>Null when the worker has gone before it began to answer.</returns>
    private static async Task<HttpResponseMessage?> BeginAsync(HttpClient client, HttpRequestMessage request)
    {
        try
        {
            return await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    private static int EndOf(string body, int start)
    {
        if (start >= body.Length)
        {
            return -1;
        }

        var terminator = body[start] == '{' ? "\n" : "\n\n";
        var end = body.IndexOf(terminator, start, StringComparison.Ordinal);
        return end < 0 ? -1 : end + terminator.Length;
    }

    private static RelayedEvent Parse(string mark, string text)
    {
        if (!mark.StartsWith(MarkStart, StringComparison.Ordinal))
        {
            throw new FormatException($"no mark: {mark}");
        }

        int? choice = null;
        int? cached = null;
        int[] tokens = [];
        var words = mark[MarkStart.Length..].Split(' ');
        if (words[0] != "-")
        {
            choice = int.Parse(words[0], CultureInfo.InvariantCulture);
        }

        foreach (var word in words.Skip(1))
        {
            if (word.StartsWith("cached=", StringComparison.Ordinal))
            {
                cached = int.Parse(word["cached=".Length..], CultureInfo.InvariantCulture);
            }
            else
            {
                tokens = [.. word.Split(',').Select(token => int.Parse(token, CultureInfo.InvariantCulture))];
            }
        }

        return new RelayedEvent(choice, tokens, cached, text);
    }
}
