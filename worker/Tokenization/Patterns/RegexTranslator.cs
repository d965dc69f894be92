using System.Text;

namespace Cluster.Worker.Tokenization.Patterns;

/// <summary>Rewrites a regex of Oniguruma, in which tokenizer.json has its patterns, for the .NET engine. The two read many things alike
/// and some silently otherwise: what <c>\w</c>, <c>\h</c> and <c>[[:alpha:]]</c> are, classes within classes, how far <c>(?i)</c> reaches,
/// where <c>$</c> is. Every such thing is spelled out here, and what cannot be is refused. Used by <see cref="RegexPattern"/>.</summary>
/// <remarks>Classes become lists of code points, see <see cref="StandIns"/>; groups capture nothing, since only whole matches count.
/// Syntax: Oniguruma's doc/RE, ONIG_SYNTAX_ONIGURUMA.</remarks>
internal sealed class RegexTranslator
{
    private const int MaxDepth = 100;
    private const int MaxRepeats = 100_000;

    private static readonly CodePointSet BreakCharacter = CodePointSet.Of([(0x0A, 0x0D), (0x85, 0x85), (0x2028, 0x2029)]);

    private readonly RegexCursor _cursor;

    /// <summary>What has been translated: text of a regex, or a class that <see cref="StandIns"/> will write.</summary>
    private readonly List<object> _parts = [];

    /// <summary>The literal just read where case does not count, to see what follows it.</summary>
    private int? _before;

    private RegexTranslator(string regex) => _cursor = new RegexCursor(regex);

    /// <returns>The regex for .NET, and what texts are to be matched through.</returns>
    /// <exception cref="ArgumentException">The regex is wrong, or has what cannot be matched alike; the message names it.</exception>
    public static (string Regex, StandIns StandIns) Translate(string regex)
    {
        RegexTranslator translator = new(regex);
        translator.ReadAlternatives(default, 0);
        if (!translator._cursor.AtEnd)
        {
            throw new ArgumentException("it has a ) without a (");
        }
        StandIns standIns = new([.. translator._parts.OfType<CodePointSet>()]);
        StringBuilder result = new();
        foreach (var part in translator._parts)
        {
            if (part is CodePointSet set)
            {
                standIns.Write(set, result);
            }
            else
            {
                result.Append((string)part);
            }
        }
        return (result.ToString(), standIns);
    }

    private readonly record struct Options(bool IgnoreCase, bool DotTakesNewline, bool Extended);

    private void ReadAlternatives(Options options, int depth)
    {
        if (depth > MaxDepth)
        {
            throw new ArgumentException($"groups are nested deeper than {MaxDepth}");
        }
        while (!_cursor.AtEnd && !_cursor.LooksAt(")"))
        {
            if (_cursor.Take("|"))
            {
                _before = null;
                Write("|");
            }
            else if (ReadSwitch(options) is { } changed)
            {
                // Oniguruma: an option reaches to the end of its group, with all alternatives: a(?i)b|c is a(?i:b|c).
                Write("(?:");
                ReadAlternatives(changed, depth + 1);
                Write(")");
            }
            else
            {
                ReadTerm(options, depth);
            }
        }
    }

    /// <summary>An element with its quantifiers.</summary>
    private void ReadTerm(Options options, int depth)
    {
        if (SkipIgnored(options))
        {
            return;
        }
        var start = _parts.Count;
        var isGroup = _cursor.LooksAt("(");
        var before = isGroup ? null : _before;
        _before = isGroup ? _before : null;
        ReadElement(options, depth);
        SkipIgnored(options);
        while (ReadQuantifier() is { } quantifier)
        {
            _before = null;
            before = null;
            _parts.Insert(start, "(?:");
            Write(")" + quantifier);
            if (_cursor.Take("?"))
            {
                Write(quantifier.StartsWith('{') && !quantifier.Contains(',', StringComparison.Ordinal) ? "" : "?");
                if (quantifier.StartsWith('{') && !quantifier.Contains(',', StringComparison.Ordinal))
                {
                    // A fixed number cannot be lazy: {2}? is {2}, or nothing.
                    _parts.Insert(start, "(?:");
                    Write(")?");
                }
            }
            else if (!quantifier.StartsWith('{') && _cursor.Take("+"))
            {
                _parts.Insert(start, "(?>");
                Write(")");
            }
            SkipIgnored(options);
        }
        if (before is { } first && _before is { } second && CaseFolds.MayBeOne(first, second))
        {
            throw new ArgumentException(
                $"'{new Rune(first)}{new Rune(second)}' without regard to case may be one character, which is not supported");
        }
    }

    private void ReadElement(Options options, int depth)
    {
        if (_cursor.Take("("))
        {
            ReadGroup(options, depth);
        }
        else if (_cursor.Take("["))
        {
            _parts.Add(ClassReader.ReadClass(_cursor, options.IgnoreCase));
        }
        else if (_cursor.Take("."))
        {
            _parts.Add(options.DotTakesNewline ? CodePointSet.All : UnicodeSets.Newline.Not());
        }
        else if (_cursor.Take("^"))
        {
            Write(@"(?:\A|(?<=\n)(?!\z))");
        }
        else if (_cursor.Take("$"))
        {
            Write(@"(?=\n|\z)");
        }
        else if (_cursor.Take(@"\"))
        {
            ReadEscape(options);
        }
        else if (_cursor.Peek is '*' or '+' or '?')
        {
            throw new ArgumentException($"'{_cursor.Peek}' has nothing to repeat");
        }
        else
        {
            WriteLiteral(_cursor.Next(), options);
        }
    }

    /// <remarks>Oniguruma joins literals across plain groups, so what stands before one may be one character with what is in it.</remarks>
    private void ReadGroup(Options options, int depth)
    {
        if (!_cursor.Take("?"))
        {
            if (_cursor.LooksAt("*"))
            {
                throw new ArgumentException("(*…) calls out, which is not supported");
            }
            Write("(?:");
        }
        else if (_cursor.Take(":"))
        {
            Write("(?:");
        }
        else if (Array.Find(["=", "!", ">", "<=", "<!"], _cursor.Take) is { } kind)
        {
            Write($"(?{kind}");
            _before = null;
        }
        else if (_cursor.LooksAt("<") || _cursor.LooksAt("'"))
        {
            // A name: nothing refers to it, for references are refused.
            _ = _cursor.Until(_cursor.Next() == '<' ? ">" : "'") ?? throw new ArgumentException("the name of a group has no end");
            Write("(?:");
        }
        else
        {
            options = ReadOptions(options);
            Write(_cursor.Take(":") ? "(?:" : throw new ArgumentException($"a group (?{_cursor.Peek} is not supported"));
        }
        ReadAlternatives(options, depth + 1);
        Write(_cursor.Take(")") ? ")" : throw new ArgumentException("a group has no )"));
    }

    /// <summary><c>(?i)</c>, for what comes after it.</summary>
    private Options? ReadSwitch(Options options)
    {
        var place = _cursor.Place;
        if (_cursor.Take("(?") && _cursor.Peek is 'i' or 'm' or 'x' or '-' && ReadOptions(options) is var changed && _cursor.Take(")"))
        {
            return changed;
        }
        _cursor.Place = place;
        return null;
    }

    private Options ReadOptions(Options options)
    {
        for (var on = true; ; _cursor.Next())
        {
            switch (_cursor.Peek)
            {
                case '-':
                    on = false;
                    break;
                case 'i':
                    options = options with { IgnoreCase = on };
                    break;
                case 'm':
                    options = options with { DotTakesNewline = on };
                    break;
                case 'x':
                    options = options with { Extended = on };
                    break;
                default:
                    return options;
            }
        }
    }

    private void ReadEscape(Options options)
    {
        if (ClassReader.ReadSet(_cursor, UnicodeSets.Word) is { } set)
        {
            _parts.Add(set);
            return;
        }
        switch (_cursor.Peek)
        {
            case 'A' or 'z' or 'Z':
                Write($@"\{(char)_cursor.Next()}");
                break;
            case 'b':
                WriteBoundary("(?:(?<=", ")(?!", ")|(?<!", ")(?=", "))");
                break;
            case 'B':
                WriteBoundary("(?:(?<=", ")(?=", ")|(?<!", ")(?!", "))");
                break;
            case 'N':
                _cursor.Next();
                _parts.Add(UnicodeSets.Newline.Not());
                break;
            case 'O':
                _cursor.Next();
                _parts.Add(CodePointSet.All);
                break;
            case 'R':
                _cursor.Next();
                Write(@"(?>\r\n|");
                _parts.Add(BreakCharacter);
                Write(")");
                break;
            case 'X':
                throw new ArgumentException(@"\X (a grapheme cluster) is not supported");
            case 'G' or 'K' or 'y' or 'Y' or 'k' or 'g' or (>= '1' and <= '9'):
                throw new ArgumentException($@"\{_cursor.Peek} is not supported");
            default:
                WriteLiteral(ClassReader.ReadCharacter(_cursor), options);
                break;
        }
    }

    private void WriteBoundary(params ReadOnlySpan<string> between)
    {
        _cursor.Next();
        for (var i = 0; i < between.Length; i++)
        {
            Write(between[i]);
            if (i < between.Length - 1)
            {
                _parts.Add(UnicodeSets.Word);
            }
        }
    }

    private void WriteLiteral(int code, Options options)
    {
        var set = CodePointSet.Of(code);
        if (options.IgnoreCase)
        {
            if (CaseFolds.Several.Contains(code))
            {
                throw new ArgumentException(
                    $"'{new Rune(code)}' without regard to case folds to several characters, which is not supported");
            }
            set = CaseFolds.Close(set);
            _before = code;
        }
        _parts.Add(set);
    }

    /// <returns>As .NET has it; null, and nowhere further, where none comes.</returns>
    private string? ReadQuantifier()
    {
        if (_cursor.Peek is '*' or '+' or '?')
        {
            return ((char)_cursor.Next()).ToString();
        }
        var place = _cursor.Place;
        if (_cursor.Take("{"))
        {
            var least = _cursor.Number();
            var isRange = _cursor.Take(",");
            var most = isRange ? _cursor.Number() : least;
            if (_cursor.Take("}") && (least ?? most) is not null)
            {
                if (most < least)
                {
                    throw new ArgumentException($"a repetition {{{least},{most}}} has its ends swapped");
                }
                return Math.Max(least ?? 0, most ?? 0) > MaxRepeats
                    ? throw new ArgumentException($"a repetition above {MaxRepeats} is too large")
                    : isRange ? $"{{{least ?? 0},{most}}}" : $"{{{least}}}";
            }
        }
        _cursor.Place = place;
        return null;
    }

    /// <summary>Comments, and in extended mode white space: also between an element and its quantifier.</summary>
    /// <returns>Whether there was any.</returns>
    private bool SkipIgnored(Options options)
    {
        var place = _cursor.Place;
        while (SkipComment() || (options.Extended && SkipSpace()))
        {
        }
        return _cursor.Place > place;
    }

    private bool SkipComment() => _cursor.Take("(?#")
        && (_cursor.Until(")") is not null ? true : throw new ArgumentException("a comment has no )"));

    private bool SkipSpace()
    {
        if (_cursor.Take("#"))
        {
            while (!_cursor.AtEnd && _cursor.Next() != '\n')
            {
            }
            return true;
        }
        if (_cursor.Peek is ' ' or (>= '\t' and <= '\r'))
        {
            _cursor.Next();
            return true;
        }
        return false;
    }

    private void Write(string text)
    {
        if (text.Length > 0)
        {
            _parts.Add(text);
        }
    }
}
