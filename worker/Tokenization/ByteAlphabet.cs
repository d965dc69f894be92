namespace Cluster.Worker.Tokenization;

/// <summary>GPT-2's way to write bytes as visible characters: printable Latin-1 stands for itself, the other 68 bytes take U+0100 on in
/// order (space is Ġ). Used by the two <c>ByteLevel</c> parts.</summary>
internal static class ByteAlphabet
{
    private const int ShiftedBytes = 68;

    private static readonly char[] Chars = BuildChars();

    private static readonly short[] Bytes = BuildBytes();

    public static char ToChar(byte value) => Chars[value];

    /// <summary>The byte a character stands for, or -1 when it is not in the alphabet.</summary>
    public static int ToByte(char c) => c < Bytes.Length ? Bytes[c] : -1;

    private static char[] BuildChars()
    {
        var chars = new char[256];
        var shifted = 0x100;
        for (var b = 0; b < chars.Length; b++)
        {
            var visible = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            chars[b] = visible ? (char)b : (char)shifted++;
        }
        return chars;
    }

    private static short[] BuildBytes()
    {
        var bytes = new short[0x100 + ShiftedBytes];
        Array.Fill(bytes, (short)-1);
        for (var b = 0; b < Chars.Length; b++)
        {
            bytes[Chars[b]] = (short)b;
        }
        return bytes;
    }
}
