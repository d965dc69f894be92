using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>Expressions have Python's semantics. Expected texts are what Jinja 3.1 prints.</summary>
public sealed class JinjaExpressionTests
{
    private const string Variables = """
        {"n": 3, "s": "Hello", "emoji": "a😀b", "empty": "", "list": [1, 2, 3, 4], "none": null, "yes": true,
         "d": {"a": 1, "b": {"c": [10, 20]}, "items": "shadowed"}, "big": 12345678901234, "f": 0.5}
        """;

    [Theory]
    [InlineData("1 + 2 * 3", "7")]
    [InlineData("(1 + 2) * 3", "9")]
    [InlineData("7 / 2", "3.5")]
    [InlineData("4 / 2", "2.0")]
    [InlineData("7 // 2", "3")]
    [InlineData("-7 // 2", "-4")]
    [InlineData("-7 % 3", "2")]
    [InlineData("7.5 % 2", "1.5")]
    [InlineData("2 ** 10", "1024")]
    [InlineData("2 ** -1", "0.5")]
    [InlineData("-2 ** 2", "4")]
    [InlineData("1 - -1", "2")]
    [InlineData("true + 1", "2")]
    [InlineData("1e3", "1000.0")]
    [InlineData("1_000", "1000")]
    [InlineData("1e16", "1e+16")]
    [InlineData("12345678901234567.0", "1.2345678901234568e+16")]
    [InlineData("1e-300", "1e-300")]
    [InlineData("0.00001", "1e-05")]
    [InlineData("1e15 + 0.5", "1000000000000000.5")]
    [InlineData("123456789012345680.0", "1.2345678901234568e+17")]
    [InlineData("0.1 + 0.2", "0.30000000000000004")]
    [InlineData("big * 10", "123456789012340")]
    [InlineData("'a' + 'b' ~ 1 ~ none ~ true", "ab1NoneTrue")]
    [InlineData("'a' 'b'", "ab")]
    [InlineData("'ab' * 3", "ababab")]
    [InlineData("[1] * 2 + [0]", "[1, 1, 0]")]
    [InlineData("'%s has %d, %.2f%% %r' % ('x', 3, 1.5, 'q')", "x has 3, 1.50% 'q'")]
    [InlineData("'%05d|%-4s|' % (42, 'ab')", "00042|ab  |")]
    public void Arithmetic(string expression, string expected) => Check(expression, expected);

    [Theory]
    [InlineData("1 < 2 < 3", "True")]
    [InlineData("1 < 3 < 2", "False")]
    [InlineData("1 == 1.0", "True")]
    [InlineData("1 == true", "True")]
    [InlineData("'1' == 1", "False")]
    [InlineData("'a' < 'b'", "True")]
    [InlineData("[1, 2] < [1, 3]", "True")]
    [InlineData("[1, 2] == (1, 2)", "False")]
    [InlineData("{'a': [1]} == {'a': [1.0]}", "True")]
    [InlineData("none == none", "True")]
    [InlineData("missing == other_missing", "True")]
    [InlineData("2 in list and 9 not in list", "True")]
    [InlineData("'ell' in s", "True")]
    [InlineData("'a' in d and 'z' not in d", "True")]
    [InlineData("'x' in missing", "False")]
    public void Comparisons(string expression, string expected) => Check(expression, expected);

    [Theory]
    [InlineData("not true or true", "True")]
    [InlineData("not (true or true)", "False")]
    [InlineData("'' or 'x'", "x")]
    [InlineData("'x' and 0", "0")]
    [InlineData("empty and missing.boom", "")]
    [InlineData("not missing", "True")]
    [InlineData("not []", "True")]
    [InlineData("not 0.0", "True")]
    [InlineData("'a' if n == 3 else 'b'", "a")]
    [InlineData("'a' if n == 4 else 'b' if n == 3 else 'c'", "b")]
    [InlineData("'a' if false", "")]
    [InlineData("not missing is defined", "True")]
    [InlineData("n is not none and n is number", "True")]
    [InlineData("(s is string) if yes else 'no'", "True")]
    public void Logic(string expression, string expected) => Check(expression, expected);

    [Theory]
    [InlineData("list[0]", "1")]
    [InlineData("list[-1]", "4")]
    [InlineData("list[9]", "")]
    [InlineData("list[1:3]", "[2, 3]")]
    [InlineData("list[::-1]", "[4, 3, 2, 1]")]
    [InlineData("list[::2]", "[1, 3]")]
    [InlineData("list[-2:]", "[3, 4]")]
    [InlineData("list[:-1]", "[1, 2, 3]")]
    [InlineData("list[3:0:-2]", "[4, 2]")]
    [InlineData("list[:1:-1]", "[4, 3]")]
    [InlineData("list[-99:99]", "[1, 2, 3, 4]")]
    [InlineData("list[5:]", "[]")]
    [InlineData("s[1:3]", "el")]
    [InlineData("s[::-1]", "olleH")]
    [InlineData("s[0]", "H")]
    [InlineData("emoji[1]", "😀")]
    [InlineData("emoji[::-1]", "b😀a")]
    [InlineData("(1, 2, 3)[1:]", "(2, 3)")]
    [InlineData("d.b.c[1]", "20")]
    [InlineData("d['b']['c'][0]", "10")]
    [InlineData("d['items']", "shadowed")]
    [InlineData("d.missing", "")]
    [InlineData("d.b.c.0", "10")]
    [InlineData("(d.b.c)|length", "2")]
    public void Access(string expression, string expected) => Check(expression, expected);

    [Theory]
    [InlineData("[1, 'a', none, true, 1.5, [], {}]", "[1, 'a', None, True, 1.5, [], {}]")]
    [InlineData("(1,)", "(1,)")]
    [InlineData("()", "()")]
    [InlineData("1, 2", "(1, 2)")]
    [InlineData("{'a': 1, 'b': {'c': none},}", "{'a': 1, 'b': {'c': None}}")]
    [InlineData("{1: 'x'}[1.0]", "x")]
    [InlineData("\"it's\" ", "it's")]
    [InlineData("[\"it's\", 'say \"hi\"', 'a\\nb\\\\']", "[\"it's\", 'say \"hi\"', 'a\\nb\\\\']")]
    [InlineData("'\\x41\\u00e9\\U0001F600\\t|\\q'", "Aé😀\t|\\q")]
    [InlineData("dict(a=1, b=2)", "{'a': 1, 'b': 2}")]
    [InlineData("range(3) | list", "[0, 1, 2]")]
    [InlineData("range(5, 0, -2) | list", "[5, 3, 1]")]
    [InlineData("missing", "")]
    public void Literals_and_text(string expression, string expected) => Check(expression, expected);

    [Theory]
    [InlineData("'%Y-%m-%d'", "2024-10-09")]
    [InlineData("'%d %b %Y'", "09 Oct 2024")]
    [InlineData("'%A, %B %-d, %H:%M:%S %p %j %I %y %%'", "Wednesday, October 9, 07:05:03 AM 283 07 24 %")]
    public void The_clock_is_the_injected_one(string format, string expected) => Check($"strftime_now({format})", expected);

    private static void Check(string expression, string expected) =>
        Assert.Equal(expected, Rendering.Render("{{ " + expression + " }}", Variables));

    [Theory]
    [InlineData("{{ big }} {{ big | string | length }} {{ big is integer }} {{ big is number }}", "18446744073709551617 20 True True")]
    [InlineData("{{ big > 1 }} {{ big == big }} {{ big == 1.5 }} {{ -big }} {{ big | int }}",
        "True True False -18446744073709551617 18446744073709551617")]
    [InlineData("{{ [big] | tojson }}{{ 'y' if big }}{{ big | abs }}", "[18446744073709551617]y18446744073709551617")]
    public void Integers_beyond_64_bits_stay_exact(string template, string expected) =>
        Assert.Equal(expected, Rendering.Render(template, """{"big": 18446744073709551617}"""));

    [Fact]
    public void Arithmetic_on_them_is_refused_rather_than_rounded() =>
        Assert.Throws<ChatTemplateException>(() => Rendering.Render("{{ big + 1 }}", """{"big": 18446744073709551617}"""));

    [Fact]
    public void A_number_has_as_many_digits_as_Python_reads() =>
        Assert.Throws<ChatTemplateException>(() => Rendering.Render("{{ big }}", $$"""{"big": {{new string('7', 4301)}}}"""));
}
