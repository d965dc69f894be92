using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.RegularExpressions;

namespace Cluster.Tests.Shared.Fuzzing;

/// <summary>Puts an odd value of the same kind in place of one of a JSON text, which then gets past the checks of types.</summary>
[SuppressMessage("Security", "CA5394", Justification = "Damage that can be repeated.")]
internal sealed partial class ValueMutator : IMutator
{
    private static readonly string[] Strings =
    [
        "\"\"", "\" \"", "\"\\u0000\"", "\"\\ud83d\\ude00\"", "\"\\ud83d\"", "\"{\"", "\"null\"", "\"{\\\"a\\\": 1, \\\"a\\\": 2}\"",
        "\"{\\\"\\\\ud83d\\\": \\\"\\\\ud83d\\\"}\"", "\"(?=a)*+\"", "\"a{2,1}\"", "\"[\\\\uD83D]\"", "\"\\\\p{L}\"", "\"\\u202e\"",
        "\"<|im_end|>\"", "\"integer\"", "\"assistant\"", "\"tool\"", "\"function\"", "\"developer\"", "\"#\"", "\"#/a/~2\"", "\"[[[[[[[[\"",
    ];

    private static readonly string[] Numbers =
    [
        "0", "-0", "-1", "1", "2", "0.5", "-1e-320", "1e38", "3.5e38", "1e400", "127", "128", "129", "4096", "2147483647", "2147483648",
        "9223372036854775807", "9223372036854775808", "18446744073709551617", "1.0", "100000000000000000000000000000000000000000",
    ];

    private static readonly string[] Booleans = ["true", "false"];

    public byte[] Mutate(byte[] original, Random random)
    {
        var json = Encoding.UTF8.GetString(original);
        for (var i = random.Next(3); i >= 0; i--)
        {
            var values = Value().Matches(json);
            if (values.Count == 0)
            {
                break;
            }

            var chosen = values[random.Next(values.Count)];
            var others = chosen.Value[0] == '"' ? Strings : chosen.Value[0] is 't' or 'f' ? Booleans : Numbers;
            json = json.Remove(chosen.Index, chosen.Length).Insert(chosen.Index, others[random.Next(others.Length)]);
        }

        return Encoding.UTF8.GetBytes(json);
    }

    // Scalars that are no names.
    [GeneratedRegex("(?:\"(?:[^\"\\\\]|\\\\.)*\"|-?[0-9][0-9.eE+-]*|true|false)(?!\\s*:)(?=\\s*[,\\]}])")]
    private static partial Regex Value();
}
