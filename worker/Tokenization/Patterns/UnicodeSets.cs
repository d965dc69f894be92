using System.Globalization;

namespace Cluster.Worker.Tokenization.Patterns;

/// <summary>Sets of characters by the names that regexes have for them, with the meanings of Oniguruma, the regex engine of Hugging Face
/// tokenizers. Read by <see cref="ClassReader"/>.</summary>
internal static class UnicodeSets
{
    private static readonly Lazy<CodePointSet[]> Categories = new(ReadCategories);
    private static readonly Lazy<Dictionary<string, CodePointSet>> Listed = new(ReadTable);
    private static readonly Lazy<Dictionary<string, CodePointSet>> Properties = new(MakeProperties);

    /// <summary>Unicode White_Space.</summary>
    public static CodePointSet Space { get; } =
        CodePointSet.Of([(9, 13), (0x20, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029),
            (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000)]);

    public static CodePointSet Newline { get; } = CodePointSet.Of('\n');

    public static CodePointSet HexDigit { get; } = CodePointSet.Of([('0', '9'), ('A', 'F'), ('a', 'f')]);

    /// <summary><c>\d</c>.</summary>
    public static CodePointSet Digit => Of(UnicodeCategory.DecimalDigitNumber);

    /// <summary><c>\w</c> and what <c>\b</c> bounds. Outside of classes Oniguruma counts Latin-1's fractions and superscripts as
    /// well.</summary>
    public static CodePointSet Word => WordInClass.Or(CodePointSet.Of([(0xB2, 0xB3), (0xB9, 0xB9), (0xBC, 0xBE)]));

    /// <summary><c>\w</c> within a class, and <c>[:word:]</c>.</summary>
    public static CodePointSet WordInClass => Properties.Value["word"];

    /// <summary>A general category, script or property; null for an unknown name.</summary>
    /// <param name="name">As it stands in <c>\p{…}</c> or <c>[:…:]</c>; case, spaces, <c>_</c> and <c>-</c> do not count.</param>
    public static CodePointSet? Find(string name) => Properties.Value.GetValueOrDefault(Key(name));

    private static string Key(string name) =>
        string.Concat(name.Where(c => c is not (' ' or '_' or '-'))).ToLowerInvariant();

    public static CodePointSet Of(params ReadOnlySpan<UnicodeCategory> categories)
    {
        List<(int, int)> ranges = [];
        foreach (var category in categories)
        {
            ranges.AddRange(Categories.Value[(int)category].Ranges);
        }
        return CodePointSet.Of(ranges);
    }

    private static Dictionary<string, CodePointSet> MakeProperties()
    {
        Dictionary<string, CodePointSet> sets = new(StringComparer.Ordinal);
        foreach (var (name, category) in (ReadOnlySpan<(string, UnicodeCategory)>)
        [
            ("lu uppercaseletter", UnicodeCategory.UppercaseLetter), ("ll lowercaseletter", UnicodeCategory.LowercaseLetter),
            ("lt titlecaseletter", UnicodeCategory.TitlecaseLetter), ("lm modifierletter", UnicodeCategory.ModifierLetter),
            ("lo otherletter", UnicodeCategory.OtherLetter), ("mn nonspacingmark", UnicodeCategory.NonSpacingMark),
            ("mc spacingmark", UnicodeCategory.SpacingCombiningMark), ("me enclosingmark", UnicodeCategory.EnclosingMark),
            ("nd decimalnumber", UnicodeCategory.DecimalDigitNumber), ("nl letternumber", UnicodeCategory.LetterNumber),
            ("no othernumber", UnicodeCategory.OtherNumber), ("zs spaceseparator", UnicodeCategory.SpaceSeparator),
            ("zl lineseparator", UnicodeCategory.LineSeparator), ("zp paragraphseparator", UnicodeCategory.ParagraphSeparator),
            ("cc control cntrl", UnicodeCategory.Control), ("cf format", UnicodeCategory.Format),
            ("cs surrogate", UnicodeCategory.Surrogate), ("co privateuse", UnicodeCategory.PrivateUse),
            ("pc connectorpunctuation", UnicodeCategory.ConnectorPunctuation), ("pd dashpunctuation", UnicodeCategory.DashPunctuation),
            ("ps openpunctuation", UnicodeCategory.OpenPunctuation), ("pe closepunctuation", UnicodeCategory.ClosePunctuation),
            ("pi initialpunctuation", UnicodeCategory.InitialQuotePunctuation),
            ("pf finalpunctuation", UnicodeCategory.FinalQuotePunctuation), ("po otherpunctuation", UnicodeCategory.OtherPunctuation),
            ("sm mathsymbol", UnicodeCategory.MathSymbol), ("sc currencysymbol", UnicodeCategory.CurrencySymbol),
            ("sk modifiersymbol", UnicodeCategory.ModifierSymbol), ("so othersymbol", UnicodeCategory.OtherSymbol),
            ("cn unassigned", UnicodeCategory.OtherNotAssigned),
        ])
        {
            Add(name, Of(category));
        }
        foreach (var (name, parts) in (ReadOnlySpan<(string, string)>)
        [
            ("l letter", "lu ll lt lm lo"), ("lc casedletter", "lu ll lt"), ("m mark combiningmark", "mn mc me"), ("n number", "nd nl no"),
            ("z separator", "zs zl zp"), ("c other", "cc cf cs co cn"), ("p punctuation punct", "pc pd ps pe pi pf po"),
            ("s symbol", "sm sc sk so"),
        ])
        {
            Add(name, Join(parts));
        }
        foreach (var (name, set) in Listed.Value)
        {
            Add(Key(name), set);
        }
        Add("any", CodePointSet.All);
        Add("ascii", CodePointSet.Of(0, 0x7F));
        Add("assigned", sets["cn"].Not());
        Add("space whitespace", Space);
        Add("digit", sets["nd"]);
        Add("xdigit", HexDigit);
        Add("blank", sets["zs"].Or(CodePointSet.Of('\t')));
        Add("alpha alphabetic", Join("l nl otheralphabetic"));
        Add("alnum", Join("alpha nd"));
        Add("upper uppercase", Join("lu otheruppercase"));
        Add("lower lowercase", Join("ll otherlowercase"));
        Add("word", Join("alpha m nd pc"));
        Add("graph", Space.Or(Join("cc cn cs")).Not());
        Add("print", Join("graph zs"));
        return sets;

        void Add(string names, CodePointSet set)
        {
            foreach (var name in names.Split(' '))
            {
                sets[name] = set;
            }
        }

        CodePointSet Join(string names) => CodePointSet.Of(names.Split(' ').SelectMany(name => sets[name].Ranges));
    }

    private static CodePointSet[] ReadCategories()
    {
        var ranges = Enum.GetValues<UnicodeCategory>().Select(_ => new List<(int, int)>()).ToArray();
        var first = 0;
        for (var code = 1; code <= CodePointSet.Last + 1; code++)
        {
            var category = CharUnicodeInfo.GetUnicodeCategory(first);
            if (code > CodePointSet.Last || CharUnicodeInfo.GetUnicodeCategory(code) != category)
            {
                ranges[(int)category].Add((first, code - 1));
                first = code;
            }
        }
        return [.. ranges.Select(list => CodePointSet.Of(list))];
    }

    private static Dictionary<string, CodePointSet> ReadTable()
    {
        Dictionary<string, List<(int, int)>> lists = new(StringComparer.Ordinal);
        List<(int, int)> current = [];
        foreach (var line in UnicodeRanges.Table.Split('\n'))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon >= 0)
            {
                lists.Add(line[..colon], current = []);
            }
            foreach (var range in line[(colon + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                var ends = range.Split('-');
                current.Add((Hex(ends[0]), Hex(ends[^1])));
            }
        }
        return lists.ToDictionary(list => list.Key, list => CodePointSet.Of(list.Value), StringComparer.Ordinal);

        static int Hex(string text) => int.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    }
}
