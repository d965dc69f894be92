using System.Diagnostics.CodeAnalysis;

namespace Cluster.Tests.Shared.Fuzzing;

/// <summary>For inputs of a head and a body with an empty line between them, as requests are: damages the body, and now and then the
/// head.</summary>
[SuppressMessage("Security", "CA5394", Justification = "Damage that can be repeated.")]
internal sealed class HeadMutator(IMutator head, IMutator body, int headOneOf = 12) : IMutator
{
    /// <summary>The two parts of an input; all of it is the head where there is no empty line.</summary>
    public static (byte[] Head, byte[] Body) Split(byte[] input)
    {
        var at = input.AsSpan().IndexOf("\n\n"u8);
        return at < 0 ? (input, []) : (input[..at], input[(at + 2)..]);
    }

    public static byte[] Join(byte[] head, byte[] body) => [.. head, .. "\n\n"u8, .. body];

    public byte[] Mutate(byte[] original, Random random)
    {
        var (first, rest) = Split(original);
        return random.Next(headOneOf) == 0
            ? Join(head.Mutate(first, random), rest)
            : Join(first, body.Mutate(rest, random));
    }
}
