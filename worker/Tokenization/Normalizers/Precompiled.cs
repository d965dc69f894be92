using System.Globalization;
using System.Text;

namespace Cluster.Worker.Tokenization.Normalizers;

/// <summary><c>Precompiled</c>: SentencePiece's own normalization by a <see cref="CharsMap"/>, as Hugging Face tokenizers has
/// it.</summary>
internal sealed class Precompiled : INormalizer
{
    // The reference implementation looks up short grapheme clusters as a whole and longer ones character by character.
    private const int MaxClusterBytes = 6;

    private readonly CharsMap _map;

    private Precompiled(CharsMap map) => _map = map;

    /// <param name="part">Has <c>precompiled_charsmap</c> in Base64.</param>
    public static INormalizer Read(JsonPart part)
    {
        byte[] map;
        try
        {
            map = Convert.FromBase64String(part.RequiredString("precompiled_charsmap"));
        }
        catch (FormatException e) when (e is not TokenizerFormatException)
        {
            throw part.Error("'precompiled_charsmap' is not valid Base64", e);
        }
        return new Precompiled(CharsMap.Read(map, out var problem) ?? throw part.Error(problem));
    }

    public string Normalize(string text)
    {
        StringBuilder result = new(text.Length);
        for (var at = 0; at < text.Length;)
        {
            var length = StringInfo.GetNextTextElementLength(text, at);
            var cluster = text.AsSpan(at, length);
            at += length;
            if (Encoding.UTF8.GetByteCount(cluster) < MaxClusterBytes && TryReplace(cluster, result))
            {
                continue;
            }
            while (!cluster.IsEmpty)
            {
                Rune.DecodeFromUtf16(cluster, out _, out var width);
                if (!TryReplace(cluster[..width], result))
                {
                    result.Append(cluster[..width]);
                }
                cluster = cluster[width..];
            }
        }
        return result.ToString();
    }

    // The shortest entry that the characters begin with stands for all of them, as in the reference implementation.
    private bool TryReplace(ReadOnlySpan<char> characters, StringBuilder result)
    {
        Span<byte> utf8 = stackalloc byte[MaxClusterBytes];
        if (!_map.TryFindShortest(utf8[..Encoding.UTF8.GetBytes(characters, utf8)], out var replacement))
        {
            return false;
        }
        result.Append(Encoding.UTF8.GetString(replacement));
        return true;
    }
}
