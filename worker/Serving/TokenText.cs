using System.Text;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Serving;

/// <summary>A single token as log-probabilities name it, over HTTP and gRPC alike.</summary>
internal static class TokenText
{
    /// <summary>What the token adds to a text, whatever stands around it: one that begins a word has its space, which decoding it alone
    /// would strip. A part of a character is U+FFFD; an id that only pads the model's vocabulary is empty.</summary>
    public static string Of(ITokenizer tokenizer, int id) =>
        tokenizer.TokenBytes(id) is { } bytes ? Encoding.UTF8.GetString(bytes)
        : tokenizer.IdToToken(id) is null ? ""
        : tokenizer.Decode([id], skipSpecialTokens: false);

    /// <summary>The bytes of that text, and of a part of a character its own.</summary>
    public static byte[] Bytes(ITokenizer tokenizer, int id) => tokenizer.TokenBytes(id) ?? Encoding.UTF8.GetBytes(Of(tokenizer, id));
}
