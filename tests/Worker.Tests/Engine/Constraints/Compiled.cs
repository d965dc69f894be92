using System.Text;
using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Constraints;

namespace Cluster.Worker.Tests.Engine.Constraints;

/// <summary>Constraints over a tokenizer of single bytes and some longer tokens.</summary>
internal static class Compiled
{
    public const int Eos = 256;

    public static ByteTokenizer Tokenizer { get; } = new(
        ["</s>"],
        [.. new[]
        {
            "{\"",
            "\": ",
            "\", \"",
            "true",
            "false",
            "null",
            "[[",
            "]}",
            "ab",
            "abc",
            "00",
            "12",
            ", ",
            "\\u00",
            "é",
            "日本",
            "\n  "
        }.Select(Encoding.UTF8.GetBytes), [0x80], [0xF0, 0x9F]]);

    public static CompiledConstraint Of(Constraint constraint) =>
        new ConstraintCompiler(Tokenizer, Tokenizer.VocabSize, [Eos]).Compile(constraint);

    public static CompiledConstraint Schema(string schema) => Of(new Constraint.JsonSchema(schema));

    /// <summary>Whether a whole text fits, byte by byte: the first tokens are the bytes.</summary>
    public static bool Accepts(this CompiledConstraint constraint, string text)
    {
        var state = constraint.Start;
        foreach (var value in Encoding.UTF8.GetBytes(text))
        {
            state = constraint.Advance(state, value);
            if (state is null)
            {
                return false;
            }
        }

        return constraint.Advance(state, Eos) is not null;
    }

    public static bool Allows(ReadOnlySpan<ulong> mask, int token) => (mask[token / 64] >> (token % 64) & 1) != 0;

    /// <summary>A random walk along masks until the end-of-sequence token comes.</summary>
    /// <returns>The text; null when it did not end in time.</returns>
    public static string? Sample(this CompiledConstraint constraint, Random random, int maxTokens, Action<ConstraintState>? visit = null)
    {
        var bytes = new List<byte>();
        var state = constraint.Start;
        for (var i = 0; i < maxTokens; i++)
        {
            visit?.Invoke(state);
            var mask = constraint.Mask(state);
            int[] allowed = [.. Enumerable.Range(0, Tokenizer.VocabSize).Where(token => Allows(mask, token))];

            // The end is taken more often than other tokens, or texts would hardly ever be short.
            var token = Allows(mask, Eos) && random.Next(4) == 0 ? Eos : allowed[random.Next(allowed.Length)];
            if (token == Eos)
            {
                return Encoding.UTF8.GetString([.. bytes]);
            }

            bytes.AddRange(Tokenizer.TokenBytes(token)!);
            state = constraint.Advance(state, token)!;
        }

        return null;
    }
}
