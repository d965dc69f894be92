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
    private const int MaxLength = 1 << 16;

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
        if (regex.Length > MaxLength)
        {
            throw new ArgumentException($"it has {regex.Length} characters; at most {MaxLength} are read");
        }
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

    private void ReadAlternatives(RegexFlags flags, int depth)
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
            else if (ReadSwitch(flags) is { } changed)
            {
                // Oniguruma: an option reaches to the end of its group, with all alternatives: a(?i)b|c is a(?i:b|c).
                Write("(?:");
                ReadAlternatives(changed, depth + 1);
                Write(")");
            }
            else
            {
                ReadTerm(flags, depth);
            }
        }
    }

    /// <summary>An element with its quantifiers.</summary>
    private void ReadTerm(RegexFlags flags, int depth)
    {
        if (RegexSkipping.Skip(_cursor, flags))
        {
            return;
        }
        var start = _parts.Count;
        var isGroup = _cursor.LooksAt("(");
        var before = isGroup ? null : _before;
        _before = isGroup ? _before : null;
        ReadElement(flags, depth);
        RegexSkipping.Skip(_cursor, flags);
        for (var stacked = 0; RegexQuantifier.Read(_cursor) is { } quantifier; stacked++)
        {
            if (stacked == MaxDepth)
            {
                throw new ArgumentException($"more than {MaxDepth} repetitions follow each other");
            }
            _before = null;
            before = null;
            _parts.Insert(start, "(?:");
            Write(")" + quantifier);
            if (_cursor.Take("?"))
            {
                // A fixed number cannot be lazy: {2}? is {2}, or nothing.
                var isFixed = quantifier.StartsWith('{') && !quantifier.Contains(',', StringComparison.Ordinal);
                _parts.Insert(start, isFixed ? "(?:" : "");
                Write(isFixed ? ")?" : "?");
            }
            else if (!quantifier.StartsWith('{') && _cursor.Take("+"))
            {
                _parts.Insert(start, "(?>");
                Write(")");
            }
            RegexSkipping.Skip(_cursor, flags);
        }
        if (before is { } first && _before is { } second && CaseFolds.MayBeOne(first, second))
        {
            throw new ArgumentException(
                $"'{new Rune(first)}{new Rune(second)}' without regard to case may be one character, which is not supported");
        }
    }

    private void ReadElement(RegexFlags flags, int depth)
    {
        if (_cursor.Take("("))
        {
            ReadGroup(flags, depth);
        }
        else if (_cursor.Take("["))
        {
            _parts.Add(ClassReader.ReadClass(_cursor, flags.IgnoreCase));
        }
        else if (_cursor.Take("."))
        {
            _parts.Add(flags.DotTakesNewline ? CodePointSet.All : UnicodeSets.Newline.Not());
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
            ReadEscape(flags);
        }
        else if (_cursor.Peek is '*' or '+' or '?')
        {
            throw new ArgumentException($"'{_cursor.Peek}' has nothing to repeat");
        }
        else
        {
            WriteLiteral(_cursor.Next(), flags);
        }
    }

    /// <remarks>Oniguruma joins literals across plain groups, so what stands before one may be one character with what is in it.</remarks>
    private void ReadGroup(RegexFlags flags, int depth)
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
            flags = RegexFlags.Read(_cursor, flags);
            Write(_cursor.Take(":") ? "(?:" : throw new ArgumentException($"a group (?{_cursor.Peek} is not supported"));
        }
        ReadAlternatives(flags, depth + 1);
        Write(_cursor.Take(")") ? ")" : throw new ArgumentException("a group has no )"));
    }

    /// <summary><c>(?i)</c>, for what comes after it.</summary>
    private RegexFlags? ReadSwitch(RegexFlags flags)
    {
        var place = _cursor.Place;
        if (_cursor.Take("(?") && _cursor.Peek is 'i' or 'm' or 'x' or '-')
        {
            var changed = RegexFlags.Read(_cursor, flags);
            if (_cursor.Take(")"))
            {
                return changed;
            }
        }
        _cursor.Place = place;
        return null;
    }

    private void ReadEscape(RegexFlags flags)
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
                WriteLiteral(ClassReader.ReadCharacter(_cursor), flags);
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

    private void WriteLiteral(int code, RegexFlags flags)
    {
        var set = CodePointSet.Of(code);
        if (flags.IgnoreCase)
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

    private void Write(string text)
    {
        if (text.Length > 0)
        {
            _parts.Add(text);
        }
    }
}
