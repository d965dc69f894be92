namespace Cluster.Worker.Engine.Constraints.Grammars;

/// <summary>Parses GBNF, the notation of llama.cpp: <c>name ::= "text" | [a-z]+ (other | .)? name{1,3}</c>. The output is a text of
/// <c>root</c>. A rule ends where the next begins, so it may be written over several lines, as in xgrammar.</summary>
internal sealed class GbnfParser
{
    private const string Start = "root";
    private const string Defines = "::=";

    private readonly GrammarText _text;
    private readonly Dictionary<string, RegexNode> _rules = new(StringComparer.Ordinal);

    private GbnfParser(string text, string parameter) => _text = new GrammarText(text, parameter, "#");

    /// <exception cref="InvalidRequestException">The text is no grammar; the message says what is wrong and where.</exception>
    public static Grammar Parse(string text, string parameter)
    {
        var parser = new GbnfParser(text, parameter);
        parser._text.SkipSpace();
        while (!parser._text.IsAtEnd)
        {
            parser.Rule();
        }

        return parser._rules.ContainsKey(Start)
            ? new Grammar(parser._rules, Start)
            : throw parser._text.Refuse($"has no rule '{Start}', which the output is a text of");
    }

    private static bool IsPart(char letter) => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_';

    private void Rule()
    {
        var name = _text.Name(IsPart) ?? throw _text.Refuse($"has '{_text.Peek()}' where a rule 'name {Defines} …' should begin");
        _text.SkipSpace();
        if (!_text.Skip(Defines))
        {
            throw _text.Refuse($"has no '{Defines}' behind the name '{name}'");
        }

        if (_rules.Count == ConstraintLimits.MaxRules)
        {
            throw _text.Refuse($"has more than {ConstraintLimits.MaxRules} rules, the most that is supported");
        }

        if (!_rules.TryAdd(name, Alternatives()))
        {
            throw _text.Refuse($"defines the rule '{name}' twice");
        }
    }

    private RegexNode Alternatives()
    {
        var ways = new List<RegexNode>();
        do
        {
            ways.Add(Items());
        }
        while (_text.Skip("|"));
        return ways.Count == 1 ? ways[0] : new RegexNode.Alternation(ways);
    }

    private RegexNode.Sequence Items()
    {
        var items = new List<RegexNode>();
        _text.SkipSpace();
        while (!_text.IsAtEnd && _text.Peek() is not ('|' or ')') && !BeginsRule())
        {
            items.Add(Repeated(Item()));
            _text.SkipSpace();
        }

        return new RegexNode.Sequence(items);
    }

    private bool BeginsRule()
    {
        var place = _text.Place;
        var begins = _text.Name(IsPart) is not null;
        _text.SkipSpace();
        begins &= _text.Sees(Defines);
        _text.Place = place;
        return begins;
    }

    private RegexNode Item()
    {
        if (_text.Quoted() is { } literal)
        {
            return Literal(literal);
        }

        if (_text.Peek() == '[')
        {
            return new RegexNode.Character(_text.Set());
        }

        if (_text.Skip("."))
        {
            return new RegexNode.Character(RuneSet.All);
        }

        if (_text.Skip("("))
        {
            var inside = _text.Nested(Alternatives);
            return _text.Skip(")") ? inside : throw _text.Refuse("has a '(' without ')'");
        }

        return new RegexNode.Reference(
            _text.Name(IsPart)
                ?? throw _text.Refuse($"has '{_text.Peek()}' where a text, a set, a group or a rule's name should stand"));
    }

    private RegexNode Repeated(RegexNode item)
    {
        while (true)
        {
            _text.SkipSpace();
            if (_text.Skip("*"))
            {
                item = new RegexNode.Repetition(item, 0, null);
            }
            else if (_text.Skip("+"))
            {
                item = new RegexNode.Repetition(item, 1, null);
            }
            else if (_text.Skip("?"))
            {
                item = new RegexNode.Repetition(item, 0, 1);
            }
            else if (_text.Skip("{"))
            {
                item = Bounded(item);
            }
            else
            {
                return item;
            }
        }
    }

    private RegexNode.Repetition Bounded(RegexNode item)
    {
        _text.SkipSpace();
        var min = _text.Number();
        var max = min;
        _text.SkipSpace();
        if (_text.Skip(","))
        {
            _text.SkipSpace();
            max = _text.Number();
            _text.SkipSpace();
        }

        return _text.Skip("}") && (min ?? max) is not null && !(max < min)
            ? new RegexNode.Repetition(item, min ?? 0, max)
            : throw _text.Refuse("has a repetition that is none of {n}, {n,}, {n,m} and {,m}");
    }

    /// <summary>A text, character by character.</summary>
    public static RegexNode Literal(string text) =>
        new RegexNode.Sequence([.. text.EnumerateRunes().Select(rune => new RegexNode.Character(RuneSet.Single(rune.Value)))]);
}
