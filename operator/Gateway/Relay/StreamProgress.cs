using System.Text.Json;

namespace Cluster.Operator.Gateway.Relay;

/// <summary>How much of an answer the client has: all that another replica needs, beside the request, to go on with it.</summary>
internal sealed class StreamProgress
{
    private readonly List<Choice> _choices = [];

    /// <summary>Events that were delivered and belong to no choice.</summary>
    public int Trailing { get; private set; }

    /// <summary>Of the first prompt.</summary>
    public int? CachedTokens => _choices.Count > 0 ? _choices[0].CachedTokens : null;

    /// <summary>Tokens of all choices.</summary>
    public int Tokens { get; private set; }

    /// <summary>The client has something of the answer.</summary>
    public bool HasBegun => Trailing > 0 || _choices.Exists(choice => choice.Events > 0);

    /// <summary>An event was delivered.</summary>
    public void Add(EventMark mark)
    {
        if (mark.Choice is { } index)
        {
            Add(index, mark.Tokens, mark.Cached);
        }
        else
        {
            Trailing++;
        }
    }

    /// <param name="tokens">What the choice has consumed since its last event.</param>
    /// <param name="cached">Tokens of its prompt that the replica had cached, where it says so. The first word counts: usage must not
    /// change on the way.</param>
    public void Add(int index, IReadOnlyCollection<int> tokens, int? cached)
    {
        while (_choices.Count <= index)
        {
            _choices.Add(new Choice());
        }

        var choice = _choices[index];
        choice.Events++;
        choice.Tokens.AddRange(tokens);
        choice.CachedTokens ??= cached;
        Tokens += tokens.Count;
    }

    /// <summary>As members of the envelope.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartArray("choices");
        foreach (var choice in _choices)
        {
            json.WriteStartObject();
            json.WriteStartArray("tokens");
            foreach (var token in choice.Tokens)
            {
                json.WriteNumberValue(token);
            }

            json.WriteEndArray();
            json.WriteNumber("events", choice.Events);
            if (choice.CachedTokens is { } cached)
            {
                json.WriteNumber("cachedTokens", cached);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("trailing", Trailing);
    }

    private sealed class Choice
    {
        public List<int> Tokens { get; } = [];

        public int Events { get; set; }

        public int? CachedTokens { get; set; }
    }
}
