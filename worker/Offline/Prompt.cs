namespace Cluster.Worker.Offline;

/// <summary>What to continue: a text, or the tokens of one. Texts convert by themselves.</summary>
public sealed record Prompt
{
    private Prompt(string? text, IReadOnlyList<int>? tokenIds)
    {
        Text = text;
        TokenIds = tokenIds;
    }

    /// <summary>Null where there are only tokens.</summary>
    public string? Text { get; }

    /// <summary>Null where there is only a text.</summary>
    public IReadOnlyList<int>? TokenIds { get; }

    /// <summary>A prompt of tokens, which are used as they are.</summary>
    public static Prompt OfTokens(params IReadOnlyList<int> tokenIds) => new(null, tokenIds);

    /// <summary>A prompt of text, in front of which the tokenizer puts its special tokens.</summary>
    public static Prompt OfText(string text) => new(text, null);

    /// <inheritdoc cref="OfText"/>
    public static implicit operator Prompt(string text) => OfText(text);
}
