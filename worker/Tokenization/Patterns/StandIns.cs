using System.Text;

namespace Cluster.Worker.Tokenization.Patterns;

/// <summary>Lets a regex engine of UTF-16 units match code points. Each code point beyond U+FFFF is replaced by one private character, the
/// same for all that are in the same classes of the regex; the classes have these characters as members. Offsets are mapped back.
/// <code>
/// text     a 😀 b         5 units with the pair
/// shadow   a U+E003 b     matched; U+E003 stands for what is in classes 0 and 4, say
/// </code>
/// Private characters of the text itself stand for nothing and are replaced alike.</summary>
internal sealed class StandIns
{
    private const int FirstPrivate = 0xE000;
    private const int LastPrivate = 0xEFFF;
    private const int FirstBeyond = 0x10000;

    private readonly int[] _starts;
    private readonly char[] _standIns;
    private readonly Dictionary<CodePointSet, List<char>> _members = new(ReferenceEqualityComparer.Instance);

    /// <param name="sets">All classes of a regex.</param>
    /// <exception cref="ArgumentException">They part the code points into more kinds than there are characters for.</exception>
    public StandIns(IReadOnlyCollection<CodePointSet> sets)
    {
        SortedSet<int> starts = [FirstPrivate, LastPrivate + 1, FirstBeyond];
        foreach (var (first, last) in sets.SelectMany(set => set.Ranges))
        {
            AddStart(first);
            AddStart(last + 1);
        }
        _starts = [.. starts];
        _standIns = new char[_starts.Length];
        Dictionary<string, char> kinds = new(StringComparer.Ordinal);
        foreach (var set in sets)
        {
            _members.TryAdd(set, []);
        }

        // Most sets are single letters, which no replaced character is in.
        CodePointSet[] parting = [.. _members.Keys.Where(set => set.Ranges.Any(range => range.Last >= FirstPrivate))];
        for (var i = 0; i < _starts.Length; i++)
        {
            StringBuilder kind = new(parting.Length);
            foreach (var set in parting)
            {
                kind.Append(set.Contains(_starts[i]) ? '1' : '0');
            }
            if (!kinds.TryGetValue(kind.ToString(), out var standIn))
            {
                standIn = FirstPrivate + kinds.Count <= LastPrivate
                    ? (char)(FirstPrivate + kinds.Count)
                    : throw new ArgumentException("its classes part the characters into too many kinds");
                kinds.Add(kind.ToString(), standIn);
                foreach (var set in parting.Where(set => set.Contains(_starts[i])))
                {
                    _members[set].Add(standIn);
                }
            }
            _standIns[i] = standIn;
        }

        void AddStart(int code)
        {
            if (IsReplaced(code))
            {
                starts.Add(code);
            }
        }
    }

    /// <summary>Whether a text can be matched as it is.</summary>
    public static bool Leaves(ReadOnlySpan<char> text) =>
        text.IndexOfAnyInRange('\uD800', (char)LastPrivate) < 0;

    /// <summary>A class for the .NET engine.</summary>
    public void Write(CodePointSet set, StringBuilder regex)
    {
        List<(int First, int Last)> ranges = [];
        foreach (var (first, last) in set.Ranges)
        {
            AddBetween(first, Math.Min(last, FirstPrivate - 1));
            AddBetween(Math.Max(first, LastPrivate + 1), Math.Min(last, char.MaxValue));
        }
        ranges.AddRange(_members[set].Select(standIn => ((int)standIn, (int)standIn)));
        if (ranges.Count == 0)
        {
            regex.Append("(?!)");
            return;
        }
        regex.Append('[');
        foreach (var (first, last) in CodePointSet.Of(ranges).Ranges)
        {
            regex.Append($"\\u{first:X4}");
            if (last > first)
            {
                regex.Append($"-\\u{last:X4}");
            }
        }
        regex.Append(']');

        void AddBetween(int first, int last)
        {
            if (first <= last)
            {
                ranges.Add((first, last));
            }
        }
    }

    /// <summary>The shadow of a window.</summary>
    /// <param name="shadow">As long as the window at least.</param>
    /// <param name="offsets">Gets, of each character of the shadow and of its end, the place in the window; one longer.</param>
    /// <returns>Characters of the shadow.</returns>
    public int Replace(ReadOnlySpan<char> window, Span<char> shadow, Span<int> offsets)
    {
        var count = 0;
        for (var i = 0; i < window.Length; i++)
        {
            offsets[count] = i;
            int code = window[i];
            if (char.IsHighSurrogate(window[i]) && i + 1 < window.Length && char.IsLowSurrogate(window[i + 1]))
            {
                code = char.ConvertToUtf32(window[i], window[++i]);
            }
            shadow[count++] = IsReplaced(code) ? StandInOf(code) : (char)code;
        }
        offsets[count] = window.Length;
        return count;
    }

    private char StandInOf(int code)
    {
        var found = Array.BinarySearch(_starts, code);
        return _standIns[found >= 0 ? found : ~found - 1];
    }

    private static bool IsReplaced(int code) => code is (>= FirstPrivate and <= LastPrivate) or >= FirstBeyond;
}
