namespace Cluster.Worker.Tokenization.Patterns;

/// <summary>Which characters are equal where case does not count: Unicode simple case folding. Folds of one character to several
/// (<c>ß</c> to <c>ss</c>) are only recognized, so that a regex in which they would matter can be refused.</summary>
internal static class CaseFolds
{
    /// <summary>Folds that the invariant upper and lower cases of .NET do not tell, such as the long s.</summary>
    private static readonly Dictionary<int, int> Others = new()
    {
        [0xB5] = 0x3BC,
        [0x17F] = 's',
        [0x1C5] = 0x1C6,
        [0x1C8] = 0x1C9,
        [0x1CB] = 0x1CC,
        [0x1F2] = 0x1F3,
        [0x345] = 0x3B9,
        [0x3C2] = 0x3C3,
        [0x3D0] = 0x3B2,
        [0x3D1] = 0x3B8,
        [0x3D5] = 0x3C6,
        [0x3D6] = 0x3C0,
        [0x3F0] = 0x3BA,
        [0x3F1] = 0x3C1,
        [0x3F4] = 0x3B8,
        [0x3F5] = 0x3B5,
        [0x1C80] = 0x432,
        [0x1C81] = 0x434,
        [0x1C82] = 0x43E,
        [0x1C83] = 0x441,
        [0x1C84] = 0x442,
        [0x1C85] = 0x442,
        [0x1C86] = 0x44A,
        [0x1C87] = 0x463,
        [0x1C88] = 0xA64B,
        [0x1E9B] = 0x1E61,
        [0x1FBE] = 0x3B9,
        [0x2126] = 0x3C9,
        [0x212A] = 'k',
        [0x212B] = 0xE5,
    };

    private static readonly Lazy<Dictionary<int, int[]>> Equal = new(Read);

    /// <summary>Characters that fold to several.</summary>
    public static CodePointSet Several { get; } = CodePointSet.Of(
        [(0xDF, 0xDF), (0x130, 0x130), (0x149, 0x149), (0x1F0, 0x1F0), (0x390, 0x390), (0x3B0, 0x3B0), (0x587, 0x587), (0x1E96, 0x1E9A),
            (0x1E9E, 0x1E9E), (0x1F50, 0x1F50), (0x1F52, 0x1F52), (0x1F54, 0x1F54), (0x1F56, 0x1F56), (0x1F80, 0x1FAF), (0x1FB2, 0x1FB4),
            (0x1FB6, 0x1FB7), (0x1FBC, 0x1FBC), (0x1FC2, 0x1FC4), (0x1FC6, 0x1FC7), (0x1FCC, 0x1FCC), (0x1FD2, 0x1FD3),
            (0x1FD6, 0x1FD7), (0x1FE2, 0x1FE4), (0x1FE6, 0x1FE7), (0x1FF2, 0x1FF4), (0x1FF6, 0x1FF7), (0x1FFC, 0x1FFC),
            (0xFB00, 0xFB06), (0xFB13, 0xFB17)]);

    /// <summary>Whether a class that has characters which fold to several may match otherwise than character by character: it lacks some
    /// that they fold to.</summary>
    public static bool Splits(CodePointSet set) =>
        set.And(Several).Ranges.Count > 0
        && (CodePointSet.Of([('a', 'z'), (0x3B1, 0x3C9), (0x561, 0x586)]).And(set.Not()).Ranges.Count > 0
            || (set.Contains(0x149) && !set.Contains(0x2BC)));

    /// <summary>Whether two literals in a row may be what one character folds to: ASCII letters by their list; beyond ASCII any two that
    /// have case or combine, to be safe.</summary>
    public static bool MayBeOne(int first, int second)
    {
        if (first < 0x80 && second < 0x80)
        {
            return (char.ToLowerInvariant((char)first), char.ToLowerInvariant((char)second)) is
                ('s', 's') or ('s', 't') or ('f', 'f') or ('f', 'i') or ('f', 'l');
        }
        return (Cased.Contains(first) || first == 0x2BC) && (Cased.Contains(second) || UnicodeSets.Find("M")!.Contains(second));
    }

    /// <summary>The set with everything that equals a member.</summary>
    public static CodePointSet Close(CodePointSet set) =>
        CodePointSet.Of(set.Ranges.Concat(
            Equal.Value.Where(entry => set.Contains(entry.Key)).SelectMany(entry => entry.Value).Select(code => (code, code))));

    private static CodePointSet Cased => UnicodeSets.Find("alpha")!;

    private static Dictionary<int, int[]> Read()
    {
        // Characters are equal that share an upper or a lower case: σ, ς and Σ; k, K and the Kelvin sign.
        Dictionary<int, List<int>> groups = [];
        for (var code = 0; code <= CodePointSet.Last; code++)
        {
            if (code is >= 0xD800 and <= 0xDFFF || Several.Contains(code))
            {
                continue;
            }
            System.Text.Rune rune = new(Others.GetValueOrDefault(code, code));
            var key = System.Text.Rune.ToLowerInvariant(System.Text.Rune.ToUpperInvariant(rune)).Value;
            if (!groups.TryGetValue(key, out var group))
            {
                groups.Add(key, group = []);
            }
            group.Add(code);
        }
        return groups.Values.Where(group => group.Count > 1)
            .SelectMany(group => group.Select(code => (code, group.ToArray())))
            .ToDictionary(entry => entry.code, entry => entry.Item2);
    }
}
