using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Serving.Limits;

/// <summary>Another tokenizer that remembers how much text it was given.</summary>
internal sealed class MeteredTokenizer(ITokenizer tokenizer) : ITokenizer
{
    private long _characters;

    /// <summary>Characters of all texts so far.</summary>
    public long Characters => Interlocked.Read(ref _characters);

    public int VocabSize => tokenizer.VocabSize;

    public int MaxTokenLength => tokenizer.MaxTokenLength;

    public IReadOnlyList<int> Encode(string text, bool addSpecialTokens)
    {
        Interlocked.Add(ref _characters, text.Length);
        return tokenizer.Encode(text, addSpecialTokens);
    }

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens) => tokenizer.Decode(ids, skipSpecialTokens);

    public int? TokenToId(string token) => tokenizer.TokenToId(token);

    public string? IdToToken(int id) => tokenizer.IdToToken(id);

    public bool IsSpecial(int id) => tokenizer.IsSpecial(id);

    public byte[]? TokenBytes(int id) => tokenizer.TokenBytes(id);
}
