using System.Text;

namespace Cluster.Worker.Tokenization;

/// <summary>Text to ids and back. Implemented by <c>Tokenizer</c>; tests of engine and serving have small fakes. Safe for concurrent
/// use.</summary>
internal interface ITokenizer
{
    /// <summary>Ids of a text. Special tokens written out in the text are recognised; <paramref name="addSpecialTokens"/> adds what the
    /// post-processor adds (BOS).</summary>
    IReadOnlyList<int> Encode(string text, bool addSpecialTokens);

    /// <summary>Text of ids; incomplete UTF-8 becomes U+FFFD.</summary>
    string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens);

    /// <summary>Highest id + 1 over vocabulary and added tokens.</summary>
    int VocabSize { get; }

    /// <summary>Characters (UTF-16) of the longest token: a text of more than n times as many has more than n tokens. Where the
    /// tokenizer shortens a text first or has one token for any unknown word, this is an estimate.</summary>
    int MaxTokenLength => int.MaxValue;

    /// <summary>Id of a token by its exact content; null when there is none.</summary>
    int? TokenToId(string token);

    /// <summary>The token's own text as the vocabulary writes it; null for an unused id.</summary>
    string? IdToToken(int id);

    bool IsSpecial(int id);

    /// <summary>The bytes a token adds to a text, whatever stands around it; null for special tokens and unused ids. Without better
    /// knowledge, those of the token's text, if that is whole characters.</summary>
    byte[]? TokenBytes(int id) =>
        IsSpecial(id) || IdToToken(id) is null || Decode([id], skipSpecialTokens: false) is var text && text.Contains('\uFFFD')
            ? null
            : Encoding.UTF8.GetBytes(text);
}
