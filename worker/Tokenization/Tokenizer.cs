using Cluster.Worker.Tokenization.Models;
using Cluster.Worker.Tokenization.Normalizers;
using Cluster.Worker.Tokenization.PostProcessors;
using Cluster.Worker.Tokenization.PreTokenizers;

namespace Cluster.Worker.Tokenization;

/// <summary>A tokenizer at work, whichever form it was published in. Text goes through its parts in this order:
/// <list type="number">
/// <item>added tokens are cut out of the text as it is;</item>
/// <item>the <see cref="INormalizer"/> rewrites what is between them;</item>
/// <item>added tokens that are matched normalized are cut out of that;</item>
/// <item>the <see cref="IPreTokenizer"/> splits the rest into words;</item>
/// <item>the <see cref="IModel"/> turns each word into ids;</item>
/// <item>the <see cref="IPostProcessor"/> adds special tokens.</item>
/// </list>
/// Made by <see cref="Load"/>, immutable, safe for concurrent use.</summary>
internal sealed class Tokenizer : ITokenizer
{
    private readonly TokenizerParts _parts;
    private readonly AddedTokenMatcher _rawMatcher;
    private readonly AddedTokenMatcher? _normalizedMatcher;
    private readonly Dictionary<string, AddedToken> _addedByContent;
    private readonly string?[] _tokens;
    private readonly HashSet<int> _specialIds;

    public Tokenizer(TokenizerParts parts)
    {
        _parts = parts;
        AddedToken[] normalized = [.. parts.AddedTokens.Where(token => token.Normalized)];
        _rawMatcher = new AddedTokenMatcher(parts.AddedTokens.Where(token => !token.Normalized).Select(token => (token, token.Content)));
        _normalizedMatcher = normalized.Length == 0
            ? null
            : new AddedTokenMatcher(normalized.Select(token => (token, Normalize(token.Content))));
        _addedByContent = parts.AddedTokens.ToDictionary(token => token.Content, StringComparer.Ordinal);
        _specialIds = [.. parts.AddedTokens.Where(token => token.Special).Select(token => token.Id)];
        _tokens = new string?[HighestId(parts) + 1];
        foreach ((var token, var id) in parts.Vocabulary.Ids)
        {
            _tokens[id] = token;
        }
        foreach (var token in parts.AddedTokens)
        {
            _tokens[token.Id] = token.Content;
        }
        MaxTokenLength = Math.Max(1, _tokens.Select(token => token?.Length ?? 0).DefaultIfEmpty().Max());
    }

    /// <summary>Reads the tokenizer of a checkpoint folder: the first of <see cref="TokenizerFile.Names"/> and the files beside
    /// it.</summary>
    /// <exception cref="TokenizerFormatException">A file is malformed or holds an unknown part.</exception>
    /// <exception cref="FileNotFoundException">The folder has no tokenizer.</exception>
    public static Tokenizer Load(string folder) => new(TokenizerReader.Read(folder));

    /// <summary>Which file it was read from, what that is and how many ids it has, for the log.</summary>
    public string Description => $"{_parts.Source}, {VocabSize} tokens";

    public int VocabSize => _tokens.Length;

    public int MaxTokenLength { get; }

    public int? TokenToId(string token) =>
        _addedByContent.TryGetValue(token, out var added) ? added.Id
        : _parts.Vocabulary.TryGetId(token, out var id) ? id
        : null;

    public string? IdToToken(int id) => (uint)id < (uint)_tokens.Length ? _tokens[id] : null;

    public bool IsSpecial(int id) => _specialIds.Contains(id);

    // Without a decoder tokens are joined with spaces: no token stands for bytes then.
    public byte[]? TokenBytes(int id) =>
        _specialIds.Contains(id) || _parts.Decoder is not { } decoder || IdToToken(id) is not { } token
            ? null
            : Decoders.TokenBytes.Of(token, decoder);

    public IReadOnlyList<int> Encode(string text, bool addSpecialTokens)
    {
        List<int> ids = new(text.Length / 3);
        text = WellFormed(text);
        List<(TextSpan Span, AddedToken? Token)> segments = [];
        _rawMatcher.Split(text, segments);
        foreach ((var span, var token) in segments)
        {
            if (token is not null)
            {
                ids.Add(token.Id);
            }
            else
            {
                var plain = span.End - span.Start == text.Length ? text : text[span.Start..span.End];
                EncodeNormalized(Normalize(plain), span.Start == 0, ids);
            }
        }
        return addSpecialTokens && _parts.PostProcessor is { } postProcessor ? postProcessor.Process(ids) : ids;
    }

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        List<string> tokens = new(ids.Length);
        foreach (var id in ids)
        {
            if (IdToToken(id) is { } token && !(skipSpecialTokens && _specialIds.Contains(id)))
            {
                tokens.Add(token);
            }
        }
        if (_parts.Decoder is not { } decoder)
        {
            return string.Join(' ', tokens);
        }
        decoder.Decode(tokens);
        return tokens.Count == 1 ? tokens[0] : string.Concat(tokens);
    }

    private void EncodeNormalized(string text, bool startsText, List<int> ids)
    {
        if (_normalizedMatcher is null)
        {
            EncodePlain(new Piece(text, 0, text.Length, startsText), ids);
            return;
        }
        List<(TextSpan Span, AddedToken? Token)> segments = [];
        _normalizedMatcher.Split(text, segments);
        foreach ((var span, var token) in segments)
        {
            if (token is not null)
            {
                ids.Add(token.Id);
            }
            else
            {
                EncodePlain(new Piece(text, span.Start, span.End - span.Start, startsText && span.Start == 0), ids);
            }
        }
    }

    private void EncodePlain(Piece text, List<int> ids)
    {
        if (text.Length == 0)
        {
            return;
        }
        List<Piece> pieces = [text];
        foreach (var piece in _parts.PreTokenizer?.Split(pieces) ?? pieces)
        {
            _parts.Model.Encode(piece.Span, ids);
        }
    }

    private string Normalize(string text) => _parts.Normalizer?.Normalize(text) ?? text;

    // UTF-8 cannot carry unpaired surrogates and normalization refuses them.
    private static string WellFormed(string text)
    {
        if (text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') < 0)
        {
            return text;
        }
        var result = text.ToCharArray();
        for (var i = 0; i < result.Length; i++)
        {
            if (char.IsHighSurrogate(result[i]) && i + 1 < result.Length && char.IsLowSurrogate(result[i + 1]))
            {
                i++;
            }
            else if (char.IsSurrogate(result[i]))
            {
                result[i] = '\uFFFD';
            }
        }
        return new string(result);
    }

    private static int HighestId(TokenizerParts parts) =>
        parts.Vocabulary.Ids.Values.Concat(parts.AddedTokens.Select(token => token.Id)).DefaultIfEmpty(-1).Max();
}
