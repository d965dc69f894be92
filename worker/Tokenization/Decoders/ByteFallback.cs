using System.Globalization;
using System.Text;

namespace Cluster.Worker.Tokenization.Decoders;

/// <summary><c>ByteFallback</c>: runs of tokens spelled <c>&lt;0xE4&gt;</c> become the text their bytes are in UTF-8, or one U+FFFD a byte
/// where they are none.</summary>
internal sealed class ByteFallback : IDecoder
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public void Decode(List<string> tokens)
    {
        List<byte> bytes = [];
        var kept = 0;
        for (var i = 0; i < tokens.Count; i++)
        {
            var token = tokens[i];
            if (TryReadByte(token, out var value))
            {
                bytes.Add(value);
                continue;
            }
            // A run of bytes takes at least as many tokens as it leaves, so writing never overtakes reading.
            kept = Flush(bytes, tokens, kept);
            tokens[kept++] = token;
        }
        kept = Flush(bytes, tokens, kept);
        tokens.RemoveRange(kept, tokens.Count - kept);
    }

    private static int Flush(List<byte> bytes, List<string> tokens, int at)
    {
        if (bytes.Count > 0)
        {
            tokens[at++] = ToText(bytes);
            bytes.Clear();
        }
        return at;
    }

    private static string ToText(List<byte> bytes)
    {
        try
        {
            return Strict.GetString(bytes.ToArray());
        }
        catch (DecoderFallbackException)
        {
            return new string('\uFFFD', bytes.Count);
        }
    }

    public static bool TryReadByte(string token, out byte value)
    {
        value = 0;
        return token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
            && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }
}
