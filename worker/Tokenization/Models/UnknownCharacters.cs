using System.Text;

namespace Cluster.Worker.Tokenization.Models;

/// <summary>What BPE does with a character its vocabulary lacks: its UTF-8 bytes as tokens <c>&lt;0xE4&gt;</c> where there are such, else
/// the unknown token, else nothing.</summary>
/// <param name="byteIds">Id of each byte's token, or null without <c>byte_fallback</c>; a byte without a token has -1.</param>
/// <param name="unknownId">Id of <c>unk_token</c>.</param>
/// <param name="fuse">Consecutive unknown characters become one unknown token.</param>
internal sealed class UnknownCharacters(int[]? byteIds, int? unknownId, bool fuse)
{
    /// <param name="character">One code point.</param>
    /// <param name="afterUnknown">Whether the symbol before is an unknown token.</param>
    /// <returns>How many ids were written.</returns>
    public int Encode(ReadOnlySpan<char> character, Span<int> symbols, ref bool afterUnknown)
    {
        if (byteIds is not null && EncodeBytes(character, symbols) is var bytes and > 0)
        {
            afterUnknown = false;
            return bytes;
        }
        if (unknownId is not { } id || (fuse && afterUnknown))
        {
            return 0;
        }
        symbols[0] = id;
        afterUnknown = true;
        return 1;
    }

    private int EncodeBytes(ReadOnlySpan<char> character, Span<int> symbols)
    {
        Span<byte> utf8 = stackalloc byte[4];
        var count = Encoding.UTF8.GetBytes(character, utf8);
        for (var i = 0; i < count; i++)
        {
            symbols[i] = byteIds![utf8[i]];
            if (symbols[i] < 0)
            {
                return 0;
            }
        }
        return count;
    }
}
