using System.Text;
using System.Text.RegularExpressions;

namespace Cluster.Worker.Tests.Fuzz;

/// <summary>Damages a text file in the ways files are damaged by accident and by attackers. The same seed damages the same way.</summary>
internal sealed partial class Mutator(int seed)
{
    private static readonly string[] Values =
    [
        "0", "-1", "1", "2147483647", "2147483648", "-2147483649", "4294967296", "9223372036854775807", "9223372036854775808", "1e308",
        "1e999", "-1e999",
        "1e-400", "0.5", "99999999999999999999999999", "null", "true", "false", "\"\"", "\"x\"", "\"\\ud800\"", "\"\\u0000\"", "[]", "{}",
        "[null]", "[[]]", "[0]",
        "[1, 2]", "{\"\": null}", "{\"\\ud800\": 1}", "{\"type\": \"Nope\"}", "{\"type\": \"Sequence\"}", "NaN", "\"(\"",
        "\"\\uD83D\\uDE00\"",
    ];

    private readonly Random _random = new(seed);

    public byte[] Mutate(string original)
    {
        var text = original;
        for (var i = _random.Next(4) / 3; i >= 0; i--)
        {
            text = MutateText(text);
        }
        var bytes = Encoding.UTF8.GetBytes(text);
        if (bytes.Length > 0 && _random.Next(8) == 0)
        {
            bytes[_random.Next(bytes.Length)] ^= (byte)(1 << _random.Next(8));
        }
        return bytes;
    }

    private string MutateText(string text)
    {
        var at = _random.Next(text.Length + 1);
        var length = Math.Min(text.Length - at, _random.Next(40));
        switch (_random.Next(16))
        {
            case 0:
                return text[..at];
            case 1:
                return text.Remove(at, length);
            case 2:
                return text.Insert(at, text.Substring(at, length));
            case 3:
                return text.Insert(at, new string(_random.Next(2) == 0 ? '[' : '{', _random.Next(1, 5000)));
            case 4:
                return DuplicateMember(text);
            case 5:
                return Nest(text);
            default:
                return ReplaceToken(text);
        }
    }

    private string ReplaceToken(string text) =>
        Pick(Token().Matches(text)) is { } token ? Replace(text, token, Values[_random.Next(Values.Length)]) : text;

    private string DuplicateMember(string text) =>
        Pick(Member().Matches(text)) is { } member
            ? text.Insert(member.Index, $"{member.Groups[1].Value}: {Values[_random.Next(Values.Length)]}, ") : text;

    private string Nest(string text)
    {
        var depth = _random.Next(1, 200);
        return Pick(Token().Matches(text)) is { } token
            ? Replace(text, token, new string('[', depth) + token.Value + new string(']', depth)) : text;
    }

    private Match? Pick(MatchCollection matches) => matches.Count == 0 ? null : matches[_random.Next(matches.Count)];

    private static string Replace(string text, Match match, string value) =>
        text.Remove(match.Index, match.Length).Insert(match.Index, value);

    // Strings, numbers, literals, and arrays and objects with none inside.
    [GeneratedRegex("\"(?:[^\"\\\\]|\\\\.)*\"|-?[0-9][0-9.eE+-]*|true|false|null|\\[[^\\[\\]{}]*\\]|\\{[^\\[\\]{}]*\\}")]
    private static partial Regex Token();

    [GeneratedRegex("(\"(?:[^\"\\\\]|\\\\.)*\")\\s*:")]
    private static partial Regex Member();
}
