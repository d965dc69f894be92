namespace Cluster.Worker.Engine.Constraints;

/// <summary>Parses the patterns that can be compiled: what regular expressions of Python, ECMAScript and .NET have in common and finite
/// automata can do. <c>\d \w \s \b</c> are ASCII. Everything else is refused by name.</summary>
internal sealed partial class RegexParser
{
    private const string Quantifiers = "*+?{";

    private readonly int[] _runes;
    private readonly string _parameter;
    private int _at;
    private int _depth;
    private bool _ignoresCase;
    private bool _dotIsAll;

    private RegexParser(string pattern, string parameter)
    {
        _runes = [.. pattern.EnumerateRunes().Select(rune => rune.Value)];
        _parameter = parameter;
    }

    /// <param name="parameter">What the pattern was given as, for errors.</param>
    /// <exception cref="InvalidRequestException">The pattern is malformed or uses something that is not supported; the message says what
    /// and where.</exception>
    public static IReadOnlyList<AnchoredBranch> Parse(string pattern, string parameter)
    {
        if (pattern.Length > ConstraintLimits.MaxTextLength)
        {
            throw new InvalidRequestException(
                $"{parameter} has {pattern.Length} characters; at most {ConstraintLimits.MaxTextLength} are supported", parameter);
        }

        var parser = new RegexParser(pattern, parameter);
        parser.ParseFlags();
        var branches = new List<AnchoredBranch>();
        do
        {
            var fromStart = parser.Skip('^');
            var node = parser.ParseSequence();
            branches.Add(new AnchoredBranch(node, fromStart, parser.Skip('$')));
        }
        while (parser.Skip('|'));
        return parser._at == parser._runes.Length
            ? branches
            : throw parser.Refuse("has a ')' without '('");
    }

    /// <summary>A set in [] inside another text, such as a grammar.</summary>
    /// <param name="at">Where its '[' is; moved past its ']'.</param>
    public static RuneSet ParseSet(string text, ref int at, string parameter)
    {
        var end = at + 1;
        while (end < text.Length && (text[end] != ']' || end == at + 1 || (end == at + 2 && text[at + 1] == '^')))
        {
            end += text[end] == '\\' ? 2 : 1;
        }

        var parser = new RegexParser(text[(at + 1)..Math.Min(end + 1, text.Length)], parameter);
        var set = parser.ParseClass();
        at += 1 + parser._runes.Take(parser._at).Sum(rune => rune > char.MaxValue ? 2 : 1);
        return set;
    }

    private int Peek(int ahead = 0) => _at + ahead < _runes.Length ? _runes[_at + ahead] : -1;

    private bool Skip(char expected)
    {
        if (Peek() != expected)
        {
            return false;
        }

        _at++;
        return true;
    }

    private RegexNode ParseAlternation()
    {
        var branches = new List<RegexNode>();
        do
        {
            branches.Add(ParseSequence());
        }
        while (Skip('|'));
        return branches.Count == 1 ? branches[0] : new RegexNode.Alternation(branches);
    }

    private RegexNode ParseSequence()
    {
        var items = new List<RegexNode>();
        while (Peek() is not (-1 or '|' or ')') && !(_depth == 0 && Peek() == '$' && Peek(1) is -1 or '|'))
        {
            items.Add(ParseQuantified());
        }

        return items.Count == 1 ? items[0] : new RegexNode.Sequence(items);
    }

    private RegexNode ParseQuantified()
    {
        var item = ParseAtom();
        if (item is RegexNode.Assertion or RegexNode.Look)
        {
            return item;
        }

        if (ParseQuantifier() is not { } bounds)
        {
            return item;
        }

        // Lazy or not, the texts are the same.
        Skip('?');
        if (Peek() == '+')
        {
            throw Refuse("has a possessive quantifier, which is not supported");
        }

        if (Peek() is >= 0 and var next && Quantifiers.Contains((char)Math.Min(next, char.MaxValue)) && (next != '{' || LooksLikeBounds()))
        {
            throw Refuse("has a quantifier on a quantifier");
        }

        return new RegexNode.Repetition(item, bounds.Min, bounds.Max);
    }

    private (int Min, int? Max)? ParseQuantifier()
    {
        switch (Peek())
        {
            case '*':
                _at++;
                return (0, null);
            case '+':
                _at++;
                return (1, null);
            case '?':
                _at++;
                return (0, 1);
            case '{' when LooksLikeBounds():
                _at++;
                return ParseBounds();
            default:
                return null;
        }
    }

    private bool LooksLikeBounds() => Peek(1) is >= '0' and <= '9' || (Peek(1) == ',' && Peek(2) is >= '0' and <= '9');

    private (int Min, int? Max) ParseBounds()
    {
        var min = Peek() == ',' ? 0 : ParseBound();
        int? max = min;
        if (Skip(','))
        {
            max = Peek() == '}' ? null : ParseBound();
        }

        if (!Skip('}'))
        {
            throw Refuse("has a quantifier '{' without '}'");
        }

        return max < min ? throw Refuse($"has a quantifier {{{min},{max}}} whose bounds are in the wrong order") : (min, max);
    }

    private int ParseBound()
    {
        var value = 0;
        while (Peek() is >= '0' and <= '9' and var digit)
        {
            value = value * 10 + digit - '0';
            _at++;
            if (value > ConstraintLimits.MaxRepeats)
            {
                throw Refuse($"has a quantifier bound above {ConstraintLimits.MaxRepeats}, the most that is supported");
            }
        }

        return value;
    }

    private RegexNode ParseAtom()
    {
        var rune = _runes[_at++];
        switch (rune)
        {
            case '.':
                return new RegexNode.Character(_dotIsAll ? RuneSet.All : RuneSet.Single('\n').Complement());
            case '[':
                return new RegexNode.Character(ParseClass());
            case '\\' when AssertionOf(Peek()) is { } assertion:
                _at++;
                return new RegexNode.Assertion(assertion);
            case '^':
                return new RegexNode.Assertion(RegexAssertion.Start);
            case '$':
                return new RegexNode.Assertion(RegexAssertion.End);
            case '(':
                return ParseGroup();
            case '\\':
                return new RegexNode.Character(Cased(ParseEscape(inClass: false)));
            case '*' or '+' or '?':
                _at--;
                throw Refuse($"has '{(char)rune}' with nothing before it");
            default:
                return new RegexNode.Character(Cased(RuneSet.Single(rune)));
        }
    }

    private static RegexAssertion? AssertionOf(int escaped) => escaped switch
    {
        'A' => RegexAssertion.Start,
        'Z' or 'z' => RegexAssertion.End,
        'b' => RegexAssertion.Boundary,
        'B' => RegexAssertion.NoBoundary,
        _ => null,
    };

    private RuneSet Cased(RuneSet set) => _ignoresCase ? CaseFolding.Both(set) : set;

    /// <summary>(?i) and the like at the beginning, for the whole pattern.</summary>
    private void ParseFlags()
    {
        while (Peek() == '(' && Peek(1) == '?' && char.IsAsciiLetterLower((char)Math.Clamp(Peek(2), 0, 127)))
        {
            var start = _at;
            _at += 2;
            ReadFlags();
            if (!Skip(')'))
            {
                _at = start;
                (_ignoresCase, _dotIsAll) = (false, false);
                return;
            }
        }
    }

    private void ReadFlags()
    {
        var on = true;
        for (; Peek() is not (')' or ':' or -1); _at++)
        {
            switch (Peek())
            {
                case '-':
                    on = false;
                    break;
                case 'i':
                    _ignoresCase = on;
                    break;
                case 's':
                    _dotIsAll = on;
                    break;
                case 'u' or 'a':
                    break;
                default:
                    throw Refuse("has a group (?…) of a kind that is not supported; known flags are i and s");
            }
        }
    }

    private RegexNode ParseGroup()
    {
        if (++_depth > ConstraintLimits.MaxNesting)
        {
            throw Refuse($"has groups nested more than {ConstraintLimits.MaxNesting} deep, the most that is supported");
        }

        var flags = (_ignoresCase, _dotIsAll);
        bool? look = null;
        if (Skip('?'))
        {
            look = Skip('=') ? false : Skip('!') ? true : null;
            if (look is null)
            {
                SkipGroupKind();
            }
        }

        var node = ParseAlternation();
        (_ignoresCase, _dotIsAll) = flags;
        if (!Skip(')'))
        {
            throw Refuse("has a '(' without ')'");
        }

        _depth--;
        return look is { } isNegative ? new RegexNode.Look(node, isNegative) : node;
    }

    private void SkipGroupKind()
    {
        if (Skip(':'))
        {
            return;
        }

        var named = Peek() == 'P' && Peek(1) == '<' ? 2 : Peek() == '<' && Peek(1) is not ('=' or '!') ? 1 : 0;
        if (named == 0 && Peek() is >= 'a' and <= 'z' or '-')
        {
            ReadFlags();
            if (!Skip(':'))
            {
                throw Refuse("has flags (?…) where they are not the beginning of the pattern; (?i:…) holds for a group");
            }

            return;
        }

        if (named == 0)
        {
            throw Refuse(Peek() switch
            {
                '<' => "has a lookbehind, which is not supported",
                '>' => "has an atomic group, which is not supported",
                _ => "has a group (?…) of a kind that is not supported; known are (…), (?:…), (?<name>…) and (?P<name>…)",
            });
        }

        _at += named;
        while (Peek() is >= 0 and not '>')
        {
            _at++;
        }

        if (!Skip('>'))
        {
            throw Refuse("has a group name without '>'");
        }
    }

    private InvalidRequestException Refuse(string problem) =>
        new($"{_parameter} {problem} (at character {Math.Min(_at, _runes.Length)})", _parameter);
}
