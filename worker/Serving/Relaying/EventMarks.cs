using System.Globalization;
using System.Text;
using Cluster.Worker.Serving.Http;

namespace Cluster.Worker.Serving.Relaying;

/// <summary>Marks the events of one stream for the gateway, and leaves out those that an earlier worker has sent. Used by
/// <see cref="ServerSentEvents"/> and <see cref="JsonLines"/>.</summary>
/// <remarks>A mark is a line before its event, a comment in server-sent events, which the gateway takes out again:
/// <code>
/// : cluster 0 15,27 cached=32     choice, tokens since the last event of the choice, cached tokens of its prompt in its first event
/// : cluster 0                     an event that no token has led to
/// : cluster -                     an event of no choice
/// </code>
/// Tokens are taken one at a time, so what the events of a choice are, and how many, follows from its tokens alone.</remarks>
internal sealed class EventMarks(Envelope envelope)
{
    private readonly List<ChoiceMarks> _choices = [];
    private int _trailing;

    /// <summary>An output is known to come: the number of its cached tokens is, too.</summary>
    public void Expect(ChoiceOutput item) => Of(item.Index).CachedTokens ??= item.Output.CachedTokens;

    /// <summary>The events that follow are made of this output.</summary>
    public void Take(ChoiceOutput item)
    {
        Expect(item);
        Of(item.Index).Tokens.AddRange(item.Output.TokenIds);
    }

    /// <summary>Counts an event.</summary>
    /// <param name="choice">The one it belongs to; null for none.</param>
    /// <returns>The line before it; null when the client has the event already.</returns>
    public string? Next(int? choice)
    {
        if (choice is not { } index)
        {
            return ++_trailing <= envelope.Trailing ? null : ": cluster -\n";
        }

        var progress = Of(index);
        var mark = ++progress.Events <= envelope.Delivered(index).Events ? null : Mark(index, progress);
        progress.Tokens.Clear();
        progress.ToldCachedTokens = progress.CachedTokens is not null;
        return mark;
    }

    private static string Mark(int index, ChoiceMarks progress)
    {
        var mark = new StringBuilder().Append(CultureInfo.InvariantCulture, $": cluster {index}");
        if (progress.Tokens.Count > 0)
        {
            mark.Append(' ').AppendJoin(',', progress.Tokens);
        }

        if (!progress.ToldCachedTokens && progress.CachedTokens is { } cached)
        {
            mark.Append(CultureInfo.InvariantCulture, $" cached={cached}");
        }

        return mark.Append('\n').ToString();
    }

    private ChoiceMarks Of(int choice)
    {
        while (_choices.Count <= choice)
        {
            _choices.Add(new ChoiceMarks());
        }

        return _choices[choice];
    }

    private sealed class ChoiceMarks
    {
        public List<int> Tokens { get; } = [];

        public int Events { get; set; }

        public int? CachedTokens { get; set; }

        public bool ToldCachedTokens { get; set; }
    }
}
