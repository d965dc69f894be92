using System.Text;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>Texts in which everything a split regex distinguishes stands next to everything else.</summary>
internal static class RandomText
{
    private static readonly string[] Atoms =
    [
        "a", "B", "é", "ß", "中", "ا", "𝒜", "\u0301", "ǅ", "ʰ", "1", "½", "Ⅷ", "٣", "𝟘", " ", "  ", "\t", "\n", "\r", "\r\n", "\u00A0",
        "\u3000",
        "\u2028", "\u0085", "\u000B", "'", "'s", "'S", "'re", "'LL", "'x", "!", ".", "_", "/", "€", "😀", "👍🏽", "\u200D", "\0", "\u200B",
        "▁",
    ];

    public static string Make(Random random, int atoms)
    {
        StringBuilder text = new();
        for (var i = random.Next(atoms); i >= 0; i--)
        {
            text.Append(Atoms[random.Next(Atoms.Length)]);
        }
        return text.ToString();
    }
}
