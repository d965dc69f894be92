namespace Cluster.Worker.Engine.Constraints.Grammars;

/// <summary>Parses Lark's EBNF: <c>start: greeting NAME ("," NAME)*</c>. Rules have lower-case names, terminals upper-case ones; a terminal
/// is texts and patterns (<c>/[a-z]+/i</c>). What <c>%ignore</c> names may stand between any two terminals of the rules. The output is a
/// text of <c>start</c>, or of the first rule.</summary>
/// <remarks>As in every backend that masks tokens, there is no lexer between characters and rules: what the grammar allows to follow
/// counts, not what a lexer would have taken for one token.</remarks>
internal sealed class LarkParser
{
    private const string Start = "start";

    /// <summary>Stands for all that is ignored; no rule can have this name.</summary>
    private const string Ignored = "%ignore";

    private readonly GrammarText _text;
    private readonly Dictionary<string, RegexNode> _rules = new(StringComparer.Ordinal);
    private readonly List<RegexNode> _ignored = [];
    private readonly string _parameter;
    private string? _first;
    private bool _isTerminal;

    private LarkParser(string text, string parameter)
    {
        _parameter = parameter;
        _text = new GrammarText(text, parameter, "//", "#");
    }

    /// <exception cref="InvalidRequestException">The text is no grammar; the message says what is wrong and where.</exception>
    public static Grammar Parse(string text, string parameter)
    {
        var parser = new LarkParser(text, parameter);
        parser._text.SkipSpace();
        while (!parser._text.IsAtEnd)
        {
            parser.Statement();
            parser._text.SkipSpace();
        }

        return parser.Whole();
    }

    private Grammar Whole()
    {
        var start = _rules.ContainsKey(Start) ? Start
            : _first ?? throw _text.Refuse("has no rule; write 'start: …', or 'root ::= …' for GBNF");
        _rules.Add(
            Ignored,
            _ignored.Count == 0
                ? new RegexNode.Sequence([])
                : new RegexNode.Repetition(new RegexNode.Alternation(_ignored), 0, null));
        _rules.Add("%start", new RegexNode.Sequence([new RegexNode.Reference(Ignored), new RegexNode.Reference(start)]));
        return new Grammar(_rules, "%start");
    }

    private static bool IsPart(char letter) => char.IsAsciiLetterOrDigit(letter) || letter == '_';

    private void Statement()
    {
        if (_text.Skip("%"))
        {
            Directive();
            return;
        }

        while (_text.Peek() is '?' or '!')
        {
            _text.Place++;
        }

        var name = _text.Name(IsPart) ?? throw _text.Refuse($"has '{_text.Peek()}' where a rule 'name: …' should begin");
        if (_text.Skip("."))
        {
            // Which of two readings a parser prefers; both are texts.
            _text.Skip("-");
            _text.Name(char.IsAsciiDigit);
        }

        _text.SkipSpace();
        if (_text.Peek() == '{')
        {
            throw _text.Refuse($"has the template '{name}{{…}}', which is not supported; write its rules out");
        }

        if (!_text.Skip(":"))
        {
            throw _text.Refuse($"has no ':' behind the name '{name}'");
        }

        if (_rules.Count == ConstraintLimits.MaxRules)
        {
            throw _text.Refuse($"has more than {ConstraintLimits.MaxRules} rules, the most that is supported");
        }

        _isTerminal = IsTerminal(name);
        _first ??= _isTerminal ? null : name;
        if (!_rules.TryAdd(name, Alternatives()))
        {
            throw _text.Refuse($"defines '{name}' twice");
        }
    }

    private static bool IsTerminal(string name) => name.TrimStart('_') is [var first, ..] && char.IsAsciiLetterUpper(first);

    private void Directive()
    {
        if (_text.Skip("ignore"))
        {
            _isTerminal = true;
            _ignored.Add(Alternatives());
        }
        else if (_text.Skip("import"))
        {
            _text.SkipSpace();
            Import();
        }
        else
        {
            throw _text.Refuse(
                $"has the directive %{_text.Name(IsPart)}, which is not supported; known are %ignore and %import common.NAME");
        }
    }

    private void Import()
    {
        if (!_text.Skip("common"))
        {
            throw _text.Refuse("imports something that is not of 'common'; there are no other files");
        }

        if (_text.Skip("."))
        {
            var name = _text.Name(IsPart) ?? "";
            _text.SkipSpace();
            var alias = name;
            if (_text.Skip("->"))
            {
                _text.SkipSpace();
                alias = _text.Name(IsPart) ?? "";
            }

            Common(name, alias);
            return;
        }

        _text.SkipSpace();
        if (!_text.Skip("("))
        {
            throw _text.Refuse("has an %import that is neither common.NAME nor common (NAME, …)");
        }

        do
        {
            _text.SkipSpace();
            var name = _text.Name(IsPart) ?? "";
            Common(name, name);
            _text.SkipSpace();
        }
        while (_text.Skip(","));
        if (!_text.Skip(")"))
        {
            throw _text.Refuse("has an %import without ')'");
        }
    }

    private void Common(string name, string alias)
    {
        var pattern = LarkTerminals.PatternOf(name)
            ?? throw _text.Refuse($"imports common.{name}, which is not known; known are {LarkTerminals.Known}");
        if (!_rules.TryAdd(alias, Pattern(pattern)))
        {
            throw _text.Refuse($"defines '{alias}' twice");
        }
    }

    private RegexNode Alternatives()
    {
        var ways = new List<RegexNode>();
        _text.SkipSpace();
        _text.Skip("|");
        do
        {
            ways.Add(Items());
            if (_text.Skip("->"))
            {
                // How a parser calls the reading.
                _text.SkipSpace();
                _text.Name(IsPart);
                _text.SkipSpace();
            }
        }
        while (_text.Skip("|"));
        return ways.Count == 1 ? ways[0] : new RegexNode.Alternation(ways);
    }

    private RegexNode.Sequence Items()
    {
        var items = new List<RegexNode>();
        _text.SkipSpace();
        while (!_text.IsAtEnd && _text.Peek() is not ('|' or ')' or ']' or '%') && !_text.Sees("->") && !BeginsStatement())
        {
            items.Add(Repeated(Item()));
            _text.SkipSpace();
        }

        return new RegexNode.Sequence(items);
    }

    private bool BeginsStatement()
    {
        var place = _text.Place;
        while (_text.Peek() is '?' or '!')
        {
            _text.Place++;
        }

        var begins = _text.Name(IsPart) is not null;
        if (_text.Skip("."))
        {
            _text.Skip("-");
            begins &= _text.Name(char.IsAsciiDigit) is not null;
        }

        _text.SkipSpace();
        begins &= _text.Peek() is ':' or '{';
        _text.Place = place;
        return begins;
    }

    private RegexNode Item()
    {
        if (_text.Skip("("))
        {
            var inside = _text.Nested(Alternatives);
            return _text.Skip(")") ? inside : throw _text.Refuse("has a '(' without ')'");
        }

        if (_text.Skip("["))
        {
            var inside = _text.Nested(Alternatives);
            return _text.Skip("]") ? new RegexNode.Repetition(inside, 0, 1) : throw _text.Refuse("has a '[' without ']'");
        }

        if (_text.Peek() == '/')
        {
            var pattern = _text.Slashed();
            var flags = _text.Name(char.IsAsciiLetterLower);
            return Terminal(Pattern(flags is null ? pattern : $"(?{flags}){pattern}"));
        }

        if (_text.Quoted() is { } literal)
        {
            return Terminal(Literal(literal));
        }

        var name = _text.Name(IsPart)
            ?? throw _text.Refuse($"has '{_text.Peek()}' where a text, a pattern, a group or a name should stand");
        var reference = new RegexNode.Reference(name);
        return IsTerminal(name) ? Terminal(reference) : reference;
    }

    private RegexNode Literal(string literal)
    {
        if (_text.Skip("i"))
        {
            return new RegexNode.Sequence(
                [.. literal.EnumerateRunes().Select(rune => new RegexNode.Character(CaseFolding.Both(RuneSet.Single(rune.Value))))]);
        }

        if (!_text.Skip(".."))
        {
            return GbnfParser.Literal(literal);
        }

        var last = _text.Quoted();
        return literal.EnumerateRunes().ToArray() is [var low] && last?.EnumerateRunes().ToArray() is [var high] && low <= high
            ? new RegexNode.Character(RuneSet.Of((low.Value, high.Value)))
            : throw _text.Refuse("has a range \"a\"..\"b\" whose ends are not two characters in order");
    }

    /// <summary>A terminal, in a rule with what is ignored behind it.</summary>
    private RegexNode Terminal(RegexNode terminal) =>
        _isTerminal ? terminal : new RegexNode.Sequence([terminal, new RegexNode.Reference(Ignored)]);

    private RegexNode Pattern(string pattern)
    {
        var branches = _text.Pattern(pattern);
        return branches.Any(branch => branch.HasAssertions)
            ? new RegexNode.Automaton(
                PatternAutomaton.Whole(branches, problem => new InvalidRequestException($"{_parameter} {problem}", _parameter)))
            : new RegexNode.Alternation([.. branches.Select(branch => branch.Node)]);
    }

    private RegexNode Repeated(RegexNode item)
    {
        while (true)
        {
            var place = _text.Place;
            _text.SkipSpace();
            if (_text.Skip("*"))
            {
                item = new RegexNode.Repetition(item, 0, null);
            }
            else if (_text.Skip("+"))
            {
                item = new RegexNode.Repetition(item, 1, null);
            }
            else if (_text.Peek() == '?' && !BeginsStatement())
            {
                _text.Place++;
                item = new RegexNode.Repetition(item, 0, 1);
            }
            else if (_text.Skip("~"))
            {
                item = Bounded(item);
            }
            else
            {
                _text.Place = place;
                return item;
            }
        }
    }

    private RegexNode.Repetition Bounded(RegexNode item)
    {
        _text.SkipSpace();
        var min = _text.Number() ?? throw _text.Refuse("has a '~' without a number behind it");
        _text.SkipSpace();
        var max = _text.Skip("..") ? _text.Number() ?? throw _text.Refuse("has a '..' without a number behind it") : min;
        return max >= min
            ? new RegexNode.Repetition(item, min, max)
            : throw _text.Refuse($"has a repetition ~{min}..{max} whose bounds are in the wrong order");
    }
}
