using System.Buffers;
using System.Text;

namespace Cluster.Worker.Tokenization.Decoders;

/// <summary><c>ByteLevel</c>: reads every character as the byte it stands for (<see cref="ByteAlphabet"/>) and all bytes together as UTF-8,
/// so a character spread over several tokens comes out whole. A token with any other character counts as its own UTF-8 text.</summary>
internal sealed class ByteLevelDecoder : IDecoder
{
    public void Decode(List<string> tokens)
    {
        var capacity = 0;
        foreach (var token in tokens)
        {
            capacity += Encoding.UTF8.GetMaxByteCount(token.Length);
        }
        var buffer = ArrayPool<byte>.Shared.Rent(capacity);
        var count = 0;
        foreach (var token in tokens)
        {
            count += Append(token, buffer.AsSpan(count));
        }
        tokens.Clear();
        tokens.Add(Encoding.UTF8.GetString(buffer, 0, count));
        ArrayPool<byte>.Shared.Return(buffer);
    }

    /// <summary>The bytes of one token.</summary>
    public static byte[] Bytes(string token)
    {
        var buffer = new byte[Encoding.UTF8.GetMaxByteCount(token.Length)];
        return buffer[..Append(token, buffer)];
    }

    private static int Append(string token, Span<byte> target)
    {
        for (var i = 0; i < token.Length; i++)
        {
            var value = ByteAlphabet.ToByte(token[i]);
            if (value < 0)
            {
                return Encoding.UTF8.GetBytes(token, target);
            }
            target[i] = (byte)value;
        }
        return token.Length;
    }
}
