using System.Text;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Engine;

/// <summary>Tokens 0…255 are bytes, then come the given special tokens, then multi-byte tokens.</summary>
internal sealed class ByteTokenizer(string[]? specialTokens = null, byte[][]? longTokens = null) : ITokenizer
{
    private readonly string[] _specials = specialTokens ?? [];
    private readonly byte[][] _longs = longTokens ?? [];

    public int VocabSize => 256 + _specials.Length + _longs.Length;

    /// <summary>Ids handed to <see cref="Decode"/> so far, all calls together.</summary>
    public long DecodedIds { get; private set; }

    public IReadOnlyList<int> Encode(string text, bool addSpecialTokens) => [.. Encoding.UTF8.GetBytes(text).Select(b => (int)b)];

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        DecodedIds += ids.Length;
        var bytes = new List<byte>();
        foreach (var id in ids)
        {
            if (id < 256)
            {
                bytes.Add((byte)id);
            }
            else if (!IsSpecial(id))
            {
                bytes.AddRange(_longs[id - 256 - _specials.Length]);
            }
            else if (!skipSpecialTokens)
            {
                bytes.AddRange(Encoding.UTF8.GetBytes(_specials[id - 256]));
            }
        }

        return Encoding.UTF8.GetString([.. bytes]);
    }

    public int? TokenToId(string token) => Array.IndexOf(_specials, token) is >= 0 and var i ? 256 + i : null;

    public string? IdToToken(int id) => Decode([id], false);

    public byte[]? TokenBytes(int id) =>
        id < 256 ? [(byte)id] : IsSpecial(id) || id >= VocabSize ? null : _longs[id - 256 - _specials.Length];

    public bool IsSpecial(int id) => id >= 256 && id < 256 + _specials.Length;
}
