namespace Cluster.Worker.Tokenization.Patterns;

/// <summary>Reads what stands for one character in a regex of Oniguruma: escapes, properties, and classes with classes in them. Part of
/// <see cref="RegexTranslator"/>.</summary>
internal static class ClassReader
{
    private const int MaxDepth = 32;

    /// <summary>After a <c>\</c>, what means a set both inside and outside of a class; null, and nowhere further, for other
    /// escapes.</summary>
    /// <param name="word">What <c>\w</c> is there.</param>
    public static CodePointSet? ReadSet(RegexCursor cursor, CodePointSet word)
    {
        if (cursor.Peek is 'p' or 'P')
        {
            return ReadProperty(cursor);
        }
        var set = cursor.Peek switch
        {
            'd' => UnicodeSets.Digit,
            'D' => UnicodeSets.Digit.Not(),
            'w' => word,
            'W' => word.Not(),
            's' => UnicodeSets.Space,
            'S' => UnicodeSets.Space.Not(),
            'h' => UnicodeSets.HexDigit,
            'H' => UnicodeSets.HexDigit.Not(),
            _ => null,
        };
        if (set is not null)
        {
            cursor.Next();
        }
        return set;
    }

    /// <summary>After a <c>\</c>, what means one character.</summary>
    /// <exception cref="ArgumentException">It does not, or not certainly.</exception>
    public static int ReadCharacter(RegexCursor cursor)
    {
        switch (cursor.Next())
        {
            case 'n':
                return '\n';
            case 't':
                return '\t';
            case 'r':
                return '\r';
            case 'f':
                return '\f';
            case 'v':
                return '\v';
            case 'a':
                return '\a';
            case 'e':
                return 0x1B;
            case 'u':
                return cursor.Peek == '{'
                    ? throw new ArgumentException(@"\u{…} is no escape of the tokenizers' regexes; write \x{…}")
                    : Checked(cursor.Digits(4, hexadecimal: true, fewest: 4));
            case 'x' when cursor.Take("{"):
                var code = cursor.Digits(8, hexadecimal: true);
                return cursor.Take("}") ? Checked(code) : throw new ArgumentException(@"\x{…} of several characters is not supported");
            case 'x':
                var value = cursor.Digits(2, hexadecimal: true);
                return value < 0x80
                    ? value
                    : throw new ArgumentException($@"\x{value:X2} is a byte of a character, not a character; write \x{{…}}");
            case '0':
                return cursor.Peek is >= '0' and <= '7' ? cursor.Digits(2, hexadecimal: false) : 0;
            case var other when other < 0x80 && char.IsAsciiLetterOrDigit((char)other):
                throw new ArgumentException($@"\{(char)other} is not supported here");
            case var other:
                return other;
        }
    }

    /// <summary>A class, after its <c>[</c>.</summary>
    /// <param name="ignoreCase">Whether equal characters are members, too.</param>
    /// <exception cref="ArgumentException">It is none, or what it means is not certain.</exception>
    public static CodePointSet ReadClass(RegexCursor cursor, bool ignoreCase)
    {
        var negated = cursor.Take("^");
        var set = ReadMembers(cursor, 0);
        if (ignoreCase)
        {
            set = CaseFolds.Close(set);
            if (!negated && CaseFolds.Splits(set))
            {
                throw new ArgumentException("a class has a character that folds to several where case does not count");
            }
        }
        return negated ? set.Not() : set;
    }

    private static CodePointSet ReadMembers(RegexCursor cursor, int depth)
    {
        if (depth > MaxDepth)
        {
            throw new ArgumentException($"classes are nested deeper than {MaxDepth}");
        }
        CodePointSet? left = null;
        List<(int, int)> members = [];

        // A ] that comes first is a member, unless no other ends the class.
        if (cursor.LooksAt("]"))
        {
            cursor.Next();
            members.Add((']', ']'));
        }
        while (!cursor.Take("]"))
        {
            if (cursor.Take("&&"))
            {
                left = Joined();
                members = [];
            }
            else if (ReadSubset(cursor, depth) is { } subset)
            {
                members.AddRange(subset.Ranges);
                if (cursor.LooksAt("-") && !cursor.LooksAt("-]"))
                {
                    throw new ArgumentException("a set cannot begin a range");
                }
            }
            else
            {
                members.Add(ReadRange(cursor));
            }
        }
        return Joined();

        CodePointSet Joined() => left is null ? CodePointSet.Of(members) : left.And(CodePointSet.Of(members));
    }

    private static CodePointSet? ReadSubset(RegexCursor cursor, int depth)
    {
        if (cursor.LooksAt("[:") && ReadBracket(cursor) is { } named)
        {
            return named;
        }
        if (cursor.Take("["))
        {
            var negated = cursor.Take("^");
            var set = ReadMembers(cursor, depth + 1);
            return negated ? set.Not() : set;
        }
        if (!cursor.LooksAt("\\"))
        {
            return null;
        }
        var place = cursor.Place;
        cursor.Next();
        var escape = ReadSet(cursor, UnicodeSets.WordInClass);
        if (escape is null)
        {
            cursor.Place = place;
        }
        return escape;
    }

    private static CodePointSet? ReadBracket(RegexCursor cursor)
    {
        var place = cursor.Place;
        cursor.Take("[:");
        var negated = cursor.Take("^");
        if (cursor.Until(":]") is not { } name || !name.All(char.IsAsciiLetter))
        {
            cursor.Place = place;
            return null;
        }
        var set = name is "alnum" or "alpha" or "ascii" or "blank" or "cntrl" or "digit" or "graph" or "lower" or "print" or "punct"
            or "space" or "upper" or "xdigit" or "word"
            ? UnicodeSets.Find(name)!
            : throw new ArgumentException($"there is no class [:{name}:]");
        return negated ? set.Not() : set;
    }

    private static (int First, int Last) ReadRange(RegexCursor cursor)
    {
        var first = ReadMember(cursor);
        if (!cursor.LooksAt("-") || cursor.LooksAt("-]"))
        {
            return (first, first);
        }
        cursor.Take("-");
        if (cursor.LooksAt("[") || cursor.LooksAt("&&"))
        {
            throw new ArgumentException("a range must end with a character");
        }
        var last = ReadMember(cursor);
        return last >= first ? (first, last) : throw new ArgumentException("a range ends before it begins");
    }

    private static int ReadMember(RegexCursor cursor)
    {
        if (!cursor.Take("\\"))
        {
            return cursor.Next();
        }
        return cursor.Take("b") ? '\b' : ReadCharacter(cursor);
    }

    private static CodePointSet ReadProperty(RegexCursor cursor)
    {
        var negated = cursor.Next() == 'P';
        if (!cursor.Take("{") || cursor.Until("}") is not { } name)
        {
            throw new ArgumentException(@"\p needs a name in braces");
        }
        if (name.StartsWith('^'))
        {
            negated = !negated;
            name = name[1..];
        }
        var set = UnicodeSets.Find(name) ?? throw new ArgumentException($@"the property \p{{{name}}} is not known");
        return negated ? set.Not() : set;
    }

    private static int Checked(int code) => code <= CodePointSet.Last && code is not (>= 0xD800 and <= 0xDFFF)
        ? code
        : throw new ArgumentException($"{code:X} is no code point");
}
