using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.RegularExpressions;

namespace Cluster.Tests.Shared.Fuzzing;

/// <summary>Damages a text, most often one of JSON, in the ways files are damaged by accident and by attackers: cut, repeated, nested, a
/// value in place of another one, a member twice, a bit flipped.</summary>
/// <param name="words">Values that mean something to who reads the text, as they are written in it.</param>
[SuppressMessage("Security", "CA5394", Justification = "Damage that can be repeated.")]
internal sealed partial class TextMutator(params string[] words) : IMutator
{
    private static readonly string[] Values =
    [
        "0", "-1", "1", "2147483647", "2147483648", "-2147483649", "4294967296", "9223372036854775807", "9223372036854775808", "1e308",
        "1e999", "-1e999",
        "1e-400", "0.5", "99999999999999999999999999", "null", "true", "false", "\"\"", "\"x\"", "\"\\ud800\"", "\"\\u0000\"", "[]", "{}",
        "[null]", "[[]]", "[0]",
        "[1, 2]", "{\"\": null}", "{\"\\ud800\": 1}", "{\"type\": \"Nope\"}", "{\"type\": \"Sequence\"}", "NaN", "\"(\"",
        "\"\\uD83D\\uDE00\"", "\"../../x\"", "\"/etc/passwd\"",
    ];

    private readonly string[] _values = [.. Values, .. words];

    public byte[] Mutate(byte[] original, Random random)
    {
        var text = Encoding.UTF8.GetString(original);
        for (var i = random.Next(4) / 3; i >= 0; i--)
        {
            text = MutateText(text, random);
        }

        var bytes = Encoding.UTF8.GetBytes(text);
        if (bytes.Length > 0 && random.Next(8) == 0)
        {
            bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
        }

        return bytes;
    }

    private string MutateText(string text, Random random)
    {
        var at = random.Next(text.Length + 1);
        var length = Math.Min(text.Length - at, random.Next(40));
        return random.Next(16) switch
        {
            0 => text[..at],
            1 => text.Remove(at, length),
            2 => text.Insert(at, text.Substring(at, length)),
            3 => text.Insert(at, new string(random.Next(2) == 0 ? '[' : '{', random.Next(1, 5000))),
            4 => DuplicateMember(text, random),
            5 => Nest(text, random),
            6 => Move(text, random),
            _ => ReplaceToken(text, random),
        };
    }

    private string ReplaceToken(string text, Random random) =>
        Pick(Token().Matches(text), random) is { } token ? Replace(text, token, _values[random.Next(_values.Length)]) : text;

    private string DuplicateMember(string text, Random random) =>
        Pick(Member().Matches(text), random) is { } member
            ? text.Insert(member.Index, $"{member.Groups[1].Value}: {_values[random.Next(_values.Length)]}, ")
            : text;

    private static string Nest(string text, Random random)
    {
        var depth = random.Next(1, 200);
        return Pick(Token().Matches(text), random) is { } token
            ? Replace(text, token, new string('[', depth) + token.Value + new string(']', depth))
            : text;
    }

    /// <summary>A value of the text itself in place of another one: names that refer to each other, kinds where others were.</summary>
    private static string Move(string text, Random random)
    {
        var tokens = Token().Matches(text);
        return Pick(tokens, random) is { } from && Pick(tokens, random) is { } to ? Replace(text, to, from.Value) : text;
    }

    private static Match? Pick(MatchCollection matches, Random random) => matches.Count == 0 ? null : matches[random.Next(matches.Count)];

    private static string Replace(string text, Match match, string value) =>
        text.Remove(match.Index, match.Length).Insert(match.Index, value);

    // Strings, numbers, literals, and arrays and objects with none inside.
    [GeneratedRegex("\"(?:[^\"\\\\]|\\\\.)*\"|-?[0-9][0-9.eE+-]*|true|false|null|\\[[^\\[\\]{}]*\\]|\\{[^\\[\\]{}]*\\}")]
    private static partial Regex Token();

    [GeneratedRegex("(\"(?:[^\"\\\\]|\\\\.)*\")\\s*:")]
    private static partial Regex Member();
}
