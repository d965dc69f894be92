using System.Buffers;
using System.Text;

namespace Cluster.Worker.Serving.Grpc.Framing;

/// <summary>How <c>grpc-message</c> carries Unicode: UTF-8 with every byte outside printable ASCII, and '%' itself, as %XX (gRPC over HTTP/2, "Status-Message").</summary>
internal static class PercentEncoding
{
    private static readonly SearchValues<char> Unescaped = SearchValues.Create(
        [.. Enumerable.Range(0x20, 0x7F - 0x20).Select(c => (char)c).Where(c => c != '%')]);

    public static string Encode(string text)
    {
        if (!text.AsSpan().ContainsAnyExcept(Unescaped))
        {
            return text;
        }

        var encoded = new StringBuilder(text.Length * 2);
        Span<byte> utf8 = stackalloc byte[4];
        foreach (var rune in text.EnumerateRunes())
        {
            if (rune.IsAscii && Unescaped.Contains((char)rune.Value))
            {
                encoded.Append((char)rune.Value);
                continue;
            }

            foreach (var octet in utf8[..rune.EncodeToUtf8(utf8)])
            {
                encoded.Append('%').Append(octet.ToString("X2", null));
            }
        }

        return encoded.ToString();
    }
}
