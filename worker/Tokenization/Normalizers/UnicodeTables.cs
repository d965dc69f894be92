using System.Globalization;

namespace Cluster.Worker.Tokenization.Normalizers;

/// <summary>The character data of Unicode normalization, read once from the tables next to it. Used by <see cref="UnicodeForm"/>.</summary>
internal sealed class UnicodeTables
{
    private readonly Dictionary<int, byte> _classes = [];
    private readonly Dictionary<int, int[]> _canonical = [];
    private readonly Dictionary<int, int[]> _compatibility = [];
    private readonly Dictionary<(int First, int Second), int> _compositions = [];
    private readonly HashSet<int> _notInNfc = [];

    private UnicodeTables()
    {
        ReadClasses();
        var canonical = ReadDecompositions(CanonicalDecompositions.Table, AddComposition);
        var all = ReadDecompositions(CompatibilityDecompositions.Table, (_, _, _) => { });
        foreach ((var code, var parts) in canonical)
        {
            all.Add(code, parts);
        }
        foreach (var code in canonical.Keys)
        {
            _canonical[code] = [.. Expand(code, canonical)];
        }
        foreach (var code in all.Keys)
        {
            _compatibility[code] = [.. Expand(code, all)];
        }
    }

    public static UnicodeTables Shared { get; } = new();

    public int CombiningClass(int code) => _classes.GetValueOrDefault(code);

    /// <summary>The full decomposition of a code point, or null where it is its own.</summary>
    public int[]? Decomposition(int code, bool compatibility) => (compatibility ? _compatibility : _canonical).GetValueOrDefault(code);

    /// <summary>The code point two others compose to, or null.</summary>
    public int? Composition(int first, int second) => _compositions.TryGetValue((first, second), out var code) ? code : null;

    /// <summary>Whether NFC leaves a code point alone whatever stands next to it.</summary>
    public bool IsStableInNfc(int code) => !_notInNfc.Contains(code) && !_classes.ContainsKey(code);

    private void AddComposition(int code, int[] parts, bool excluded)
    {
        if (excluded)
        {
            _notInNfc.Add(code);
            return;
        }
        _compositions[(parts[0], parts[1])] = code;
        _notInNfc.Add(parts[1]);
    }

    private void ReadClasses()
    {
        foreach (var entry in Entries(CombiningClasses.Table))
        {
            var sides = entry.Split('=');
            int[] range = [.. sides[0].Split('-').Select(Hex)];
            for (var code = range[0]; code <= range[^1]; code++)
            {
                _classes[code] = byte.Parse(sides[1], CultureInfo.InvariantCulture);
            }
        }
    }

    private static Dictionary<int, int[]> ReadDecompositions(string table, Action<int, int[], bool> onEntry)
    {
        Dictionary<int, int[]> result = [];
        var code = 0;
        foreach (var entry in Entries(table))
        {
            var equals = entry.IndexOf('=', StringComparison.Ordinal);
            code = equals < 0 ? code + 1 : Hex(entry[..equals]);
            int[] parts = [.. entry[(equals + 1)..].TrimEnd('!').Split(' ').Select(Hex)];
            result.Add(code, parts);
            onEntry(code, parts, entry.EndsWith('!'));
        }
        return result;
    }

    private static IEnumerable<int> Expand(int code, Dictionary<int, int[]> table) =>
        table.TryGetValue(code, out var parts) ? parts.SelectMany(part => Expand(part, table)) : [code];

    private static string[] Entries(string table) =>
        table.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static int Hex(string digits) => int.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
