using System.Text;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Serving;

/// <summary>UTF-8 bytes as tokens: id = byte + 4 behind the special tokens &lt;s&gt;, &lt;/s&gt;, &lt;|im_start|&gt; and &lt;|im_end|&gt;.
/// A character outside ASCII takes several tokens. Refuses texts with a bell (U+0007).</summary>
internal sealed class FakeTokenizer : ITokenizer
{
    public const int Bos = 0;
    public const int Eos = 1;
    private static readonly string[] Special = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"];

    public int VocabSize => Special.Length + 256;

    public static int IdOf(byte octet) => Special.Length + octet;

    public IReadOnlyList<int> Encode(string text, bool addSpecialTokens)
    {
        if (text.Contains('\a', StringComparison.Ordinal))
        {
            throw new TokenizationException("no token for the bell");
        }

        List<int> ids = addSpecialTokens ? [Bos] : [];
        while (text.Length > 0)
        {
            var special = Array.FindIndex(Special, token => text.StartsWith(token, StringComparison.Ordinal));
            if (special >= 0)
            {
                ids.Add(special);
                text = text[Special[special].Length..];
                continue;
            }

            Rune.DecodeFromUtf16(text, out var rune, out var consumed);
            ids.AddRange(Encoding.UTF8.GetBytes(rune.ToString()).Select(IdOf));
            text = text[consumed..];
        }

        return ids;
    }

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        var bytes = new List<byte>();
        foreach (var id in ids)
        {
            bytes.AddRange(Bytes(id, skipSpecialTokens));
        }

        return Encoding.UTF8.GetString([.. bytes]);
    }

    /// <summary>The bytes of one token.</summary>
    public static byte[] Bytes(int id, bool skipSpecialTokens) => id < Special.Length
        ? skipSpecialTokens ? [] : Encoding.UTF8.GetBytes(Special[id])
        : [(byte)(id - Special.Length)];

    public int? TokenToId(string token) => Array.IndexOf(Special, token) is >= 0 and var id ? id : null;

    public string? IdToToken(int id) => id < Special.Length ? Special[id] : id < VocabSize ? $"<0x{id - Special.Length:X2}>" : null;

    public byte[]? TokenBytes(int id) => IsSpecial(id) || id >= VocabSize ? null : Bytes(id, skipSpecialTokens: true);

    public bool IsSpecial(int id) => id < Special.Length;
}
