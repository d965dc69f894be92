using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.RegularExpressions;

namespace Cluster.Tests.Shared.Fuzzing;

/// <summary>Damages a text of a small language by its pieces: one put in, left out, exchanged, repeated, or moved.</summary>
/// <param name="pieces">What the language is made of, and what is nearly so.</param>
[SuppressMessage("Security", "CA5394", Justification = "Damage that can be repeated.")]
internal sealed partial class PieceMutator(params string[] pieces) : IMutator
{
    private const int MostRepeats = 400;

    public byte[] Mutate(byte[] original, Random random)
    {
        var parts = Piece().Matches(Encoding.UTF8.GetString(original)).Select(match => match.Value).ToList();
        for (var i = random.Next(4); i >= 0; i--)
        {
            var at = random.Next(parts.Count + 1);
            switch (random.Next(8))
            {
                case 0 when at < parts.Count:
                    parts.RemoveRange(at, Math.Min(parts.Count - at, random.Next(1, 4)));
                    break;
                case 1 or 2 when at < parts.Count:
                    parts[at] = pieces[random.Next(pieces.Length)];
                    break;
                case 3 when parts.Count > 0:
                    parts.Insert(at, parts[random.Next(parts.Count)]);
                    break;
                case 4 when random.Next(8) == 0:
                    parts.Insert(at, string.Concat(Enumerable.Repeat(pieces[random.Next(pieces.Length)], random.Next(1, MostRepeats))));
                    break;
                default:
                    parts.Insert(at, pieces[random.Next(pieces.Length)]);
                    break;
            }
        }

        return Encoding.UTF8.GetBytes(string.Concat(parts));
    }

    [GeneratedRegex(@"\w+|\s+|.", RegexOptions.Singleline)]
    private static partial Regex Piece();
}
