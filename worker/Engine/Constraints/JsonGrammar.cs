namespace Cluster.Worker.Engine.Constraints;

/// <summary>The pieces of JSON (RFC 8259): strings, numbers, any value, white space. Used by <see cref="JsonSchemaBuilder"/> and for
/// <c>json_object</c>.</summary>
/// <remarks>White space is bounded, as an output of nothing else would never end: a space after a colon; elsewhere between tokens a space,
/// or a new line and up to <see cref="MaxIndent"/> spaces. Numbers have at most <see cref="MaxDigits"/> digits before and after the point
/// and an exponent of two digits, so that every reader's double can hold them.</remarks>
internal sealed class JsonGrammar(AutomatonBuilder builder)
{
    public const int MaxDigits = 15;
    private const int MaxIndent = 8;

    private static readonly RuneSet Escaped = RuneSet.Of((0, 0x1F), ('"', '"'), ('\\', '\\'));
    private static readonly RuneSet Plain = Escaped.Complement();
    private static readonly RuneSet Hex = RuneSet.Of(('0', '9'), ('a', 'f'), ('A', 'F'));
    private static readonly RuneSet HexWithoutD = RuneSet.Of(('0', '9'), ('a', 'c'), ('e', 'f'), ('A', 'C'), ('E', 'F'));

    private int? _anyValue;
    private int? _anyString;

    public void Space(int from, int to)
    {
        builder.Epsilon(from, to);
        builder.Text(" ", from, to);
        var line = builder.Node();
        builder.Text("\n", from, line);
        builder.Repeat(0, MaxIndent, line, to, (start, end) => builder.Text(" ", start, end));
    }

    public void Comma(int from, int to)
    {
        var space = builder.Node();
        builder.Text(",", from, space);
        Space(space, to);
    }

    public void Colon(int from, int to)
    {
        var space = builder.Node();
        builder.Text(":", from, space);
        builder.Epsilon(space, to);
        builder.Text(" ", space, to);
    }

    /// <summary>What stands between two brackets; the content may be empty if <paramref name="content"/> lays such a way.</summary>
    public void Bracketed(string open, string close, int from, int to, Action<int, int> content)
    {
        var opened = builder.Node();
        var inside = builder.Node();
        var end = builder.Node();
        var closing = builder.Node();
        builder.Text(open, from, opened);
        Space(opened, inside);
        content(inside, end);
        Space(end, closing);
        builder.Text(close, closing, to);
    }

    /// <summary>A string with some number of characters, written in any way.</summary>
    public void String(int min, int? max, int from, int to) =>
        Quoted(from, to, (start, end) => builder.Repeat(min, max, start, end, AnyCharacter));

    /// <summary>Any string, as a call: it costs one edge wherever it is used.</summary>
    public void AnyString(int from, int to)
    {
        if (_anyString is null)
        {
            _anyString = builder.AddRule();
            var rule = builder.Rule(_anyString.Value);
            String(0, null, rule.Start, rule.End);
        }

        builder.Call(_anyString.Value, from, to);
    }

    public void Quoted(int from, int to, Action<int, int> content)
    {
        var start = builder.Node();
        var end = builder.Node();
        builder.Text("\"", from, start);
        content(start, end);
        builder.Text("\"", end, to);
    }

    /// <summary>One character of a set as a string writes it, escaped in the shortest way and only where it must be.</summary>
    public void Character(RuneSet set, int from, int to)
    {
        builder.Runes(set.Intersect(Plain), from, to);
        foreach (var (low, high) in set.Intersect(Escaped).Ranges)
        {
            for (var rune = low; rune <= high; rune++)
            {
                builder.Text(Escape(rune), from, to);
            }
        }
    }

    /// <summary>One character of a property's name. Names have no escapes, so none can be another in another spelling.</summary>
    public void NameCharacter(RuneSet set, int from, int to) => builder.Runes(set.Intersect(Plain), from, to);

    public void Integer(int from, int to)
    {
        builder.Text("0", from, to);
        var positive = builder.Node();
        builder.Epsilon(from, positive);
        builder.Text("-", from, positive);
        Natural(positive, to);
    }

    public void Number(int from, int to)
    {
        var unsigned = builder.Node();
        var whole = builder.Node();
        var mantissa = builder.Node();
        builder.Epsilon(from, unsigned);
        builder.Text("-", from, unsigned);
        builder.Text("0", unsigned, whole);
        Natural(unsigned, whole);
        builder.Epsilon(whole, mantissa);
        Fraction(whole, mantissa);
        builder.Epsilon(mantissa, to);
        var exponent = builder.Node();
        var digits = builder.Node();
        builder.Runes(RuneSet.Of(('e', 'e'), ('E', 'E')), mantissa, exponent);
        builder.Epsilon(exponent, digits);
        builder.Runes(RuneSet.Of(('+', '+'), ('-', '-')), exponent, digits);
        builder.Repeat(1, 2, digits, to, Digit);
    }

    public void Fraction(int from, int to)
    {
        var point = builder.Node();
        builder.Text(".", from, point);
        builder.Repeat(1, MaxDigits, point, to, Digit);
    }

    public void Digit(int from, int to) => builder.Bytes((byte)'0', (byte)'9', from, to);

    public void AnyValue(int from, int to)
    {
        if (_anyValue is null)
        {
            _anyValue = builder.AddRule();
            var (start, end) = (builder.Rule(_anyValue.Value).Start, builder.Rule(_anyValue.Value).End);
            String(0, null, start, end);
            Number(start, end);
            builder.Texts(["true", "false", "null"], start, end);
            AnyObject(start, end);
            Bracketed("[", "]", start, end, (first, last) => List(first, last, AnyValue));
        }

        builder.Call(_anyValue.Value, from, to);
    }

    public void AnyObject(int from, int to) => Bracketed("{", "}", from, to, (start, end) => List(start, end, AnyMember));

    /// <summary>Any number of pieces with commas between them.</summary>
    private void List(int from, int to, Action<int, int> item)
    {
        var start = builder.Node();
        var end = builder.Node();
        builder.Epsilon(from, to);
        builder.Epsilon(from, start);
        item(start, end);
        Comma(end, start);
        builder.Epsilon(end, to);
    }

    private void AnyMember(int from, int to)
    {
        var colon = builder.Node();
        var value = builder.Node();
        AnyString(from, colon);
        Colon(colon, value);
        AnyValue(value, to);
    }

    private void Natural(int from, int to)
    {
        var more = builder.Node();
        builder.Bytes((byte)'1', (byte)'9', from, more);
        builder.Repeat(0, MaxDigits - 1, more, to, Digit);
    }

    private void AnyCharacter(int from, int to)
    {
        builder.Runes(Plain, from, to);
        var escape = builder.Node();
        var code = builder.Node();
        var afterD = builder.Node();
        var lastThree = builder.Node();
        builder.Text("\\", from, escape);
        builder.Runes(RuneSet.Of("\"\\/bfnrt".Select(letter => ((int)letter, (int)letter))), escape, to);
        builder.Text("u", escape, code);

        // A lone surrogate is no character, so D8…DF do not begin a code.
        builder.Runes(HexWithoutD, code, lastThree);
        builder.Runes(RuneSet.Of(('d', 'd'), ('D', 'D')), code, afterD);
        var lastTwo = builder.Node();
        builder.Runes(RuneSet.Of(('0', '7')), afterD, lastTwo);
        builder.Runes(Hex, lastThree, lastTwo);
        var last = builder.Node();
        builder.Runes(Hex, lastTwo, last);
        builder.Runes(Hex, last, to);
    }

    private static string Escape(int rune) => rune switch
    {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\b' => "\\b",
        '\f' => "\\f",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        _ => $"\\u{rune:x4}",
    };
}
