using System.Buffers.Text;

namespace Cluster.Operator.Gateway.Relay;

/// <summary>Reads a mark, a line that a worker puts before an event for the gateway.</summary>
internal static class MarkLine
{
    public const int MostChoices = 4096;

    private static ReadOnlySpan<byte> Prefix => ": cluster "u8;

    private static ReadOnlySpan<byte> CachedPrefix => "cached="u8;

    /// <summary>Whether a line is a mark, right or wrong.</summary>
    public static bool IsMark(ReadOnlySpan<byte> line) => line.StartsWith(Prefix);

    /// <param name="line">Without its line break.</param>
    /// <exception cref="GarbledReplyException">It is no mark.</exception>
    public static EventMark Read(ReadOnlySpan<byte> line)
    {
        var rest = line[Prefix.Length..].TrimEnd((byte)' ');
        if (rest.SequenceEqual("-"u8))
        {
            return new EventMark(null, [], null);
        }

        var choice = Number(ref rest, line);
        if (choice >= MostChoices)
        {
            throw Wrong(line);
        }

        List<int> tokens = [];
        int? cached = null;
        while (!rest.IsEmpty)
        {
            if (rest[0] != (byte)' ' || rest.Length == 1)
            {
                throw Wrong(line);
            }

            rest = rest[1..];
            if (rest.StartsWith(CachedPrefix) && cached is null)
            {
                rest = rest[CachedPrefix.Length..];
                cached = Number(ref rest, line);
            }
            else if (tokens.Count == 0 && cached is null && rest[0] != (byte)' ')
            {
                tokens.Add(Number(ref rest, line));
                while (!rest.IsEmpty && rest[0] == (byte)',')
                {
                    rest = rest[1..];
                    tokens.Add(Number(ref rest, line));
                }
            }
            else if (rest[0] != (byte)' ')
            {
                throw Wrong(line);
            }
        }

        return new EventMark(choice, [.. tokens], cached);
    }

    private static int Number(ref ReadOnlySpan<byte> text, ReadOnlySpan<byte> line)
    {
        if (text.IsEmpty || text[0] is < (byte)'0' or > (byte)'9' || !Utf8Parser.TryParse(text, out int value, out var used))
        {
            throw Wrong(line);
        }

        text = text[used..];
        return value;
    }

    private static GarbledReplyException Wrong(ReadOnlySpan<byte> line) => new(
        $"the mark '{System.Text.Encoding.UTF8.GetString(line[..Math.Min(line.Length, 80)])}' is none; expected ': cluster CHOICE TOKENS'");
}
