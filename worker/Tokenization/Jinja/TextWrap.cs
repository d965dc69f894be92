using System.Text;

namespace Cluster.Worker.Tokenization.Jinja;

/// <summary>The filter <c>wordwrap(width, break_long_words, wrapstring, break_on_hyphens)</c>: each line of a text, broken at
/// blanks.</summary>
internal static class TextWrap
{
    public static string Apply(string text, Arguments arguments, RenderBudget budget)
    {
        var width = (int)Math.Clamp(arguments.Integer(0, "width", 79), 1, int.MaxValue);
        var breaksWords = arguments.Flag(1, "break_long_words", true);
        var wrap = arguments.Get(2, "wrapstring") is null ? "\n" : arguments.Text(2, "wrapstring");
        var onHyphens = arguments.Flag(3, "break_on_hyphens", true);
        budget.Cuts(2L * (1 + text.AsSpan().Count('\n') + text.AsSpan().Count('\r')), 2L * text.Length);
        budget.Step(text.Length >> 3);
        List<string> lines = [];
        foreach (var line in text.ReplaceLineEndings("\n").Split('\n'))
        {
            Wrap(line, width, breaksWords, onHyphens, lines, budget);
        }
        budget.Characters(text.Length + (long)wrap.Length * lines.Count);
        return string.Join(wrap, lines);
    }

    private static void Wrap(string line, int width, bool breaksWords, bool onHyphens, List<string> lines, RenderBudget budget)
    {
        var current = new StringBuilder();
        var before = lines.Count;
        foreach (var part in Parts(line, onHyphens))
        {
            budget.Cuts(1, part.Length);
            var (piece, from) = (part, 0);
            if (current.Length + piece.Length > width && current.Length > 0 && !(piece.Length > width && breaksWords && piece[0] != ' '))
            {
                Close();
            }
            while (breaksWords && current.Length + piece.Length - from > width && !char.IsWhiteSpace(piece[0]))
            {
                budget.Step();
                var room = width - current.Length;
                current.Append(piece, from, room);
                from += room;
                Close();
            }
            // A line that was broken does not begin with the blanks of the break.
            if (!(current.Length == 0 && lines.Count > before && char.IsWhiteSpace(piece[0])))
            {
                current.Append(piece, from, piece.Length - from);
            }
        }
        if (current.Length > 0 || lines.Count == before)
        {
            Close();
        }

        void Close()
        {
            budget.Cuts(1, 2L * current.Length);
            lines.Add(current.ToString().TrimEnd());
            current.Clear();
        }
    }

    /// <summary>Words and the blanks between them, in turn.</summary>
    private static IEnumerable<string> Parts(string line, bool onHyphens)
    {
        for (var at = 0; at < line.Length;)
        {
            var blank = char.IsWhiteSpace(line[at]);
            var end = at + 1;
            while (end < line.Length && char.IsWhiteSpace(line[end]) == blank
                && !(onHyphens && !blank && end - at > 1 && IsHyphen(line, end - 1)))
            {
                end++;
            }
            yield return line[at..end];
            at = end;
        }
    }

    private static bool IsHyphen(string line, int at) => line[at] == '-' && char.IsLetter(line[at - 1]) && char.IsLetter(line[at + 1]);
}
