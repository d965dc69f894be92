using System.Text;

namespace Cluster.Worker.Tokenization.Decoders;

/// <summary>What one token adds to a text in bytes: what a decoder does to it alone. Decoders that act on the whole text
/// (<see cref="Fuse"/> and what comes after it, which strips a text's first space) say nothing about a token. Called by
/// <see cref="Tokenizer.TokenBytes"/>.</summary>
internal static class TokenBytes
{
    public static byte[] Of(string token, IDecoder decoder)
    {
        foreach (var part in decoder is DecoderSequence sequence ? sequence.Decoders : [decoder])
        {
            switch (part)
            {
                case ByteLevelDecoder:
                    return ByteLevelDecoder.Bytes(token);
                case ByteFallback when ByteFallback.TryReadByte(token, out var value):
                    return [value];
                case WordPieceDecoder words:
                    return words.Bytes(token);
                case Fuse:
                    return Encoding.UTF8.GetBytes(token);
                default:
                    List<string> alone = [token];
                    part.Decode(alone);
                    token = string.Concat(alone);
                    break;
            }
        }
        return Encoding.UTF8.GetBytes(token);
    }
}
