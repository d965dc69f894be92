using Cluster.Worker.Tokenization;
using Cluster.Worker.Tokenization.Jinja;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>Formats, groups and further methods and filters. Expected texts are what Jinja 3.1 prints.</summary>
public sealed class JinjaFormatTests
{
    private const string Variables = """
        {"people": [
           {"name": "Bo", "age": 30, "tags": ["x"]}, {"name": "al", "age": 25, "tags": []}, {"name": "Cy", "age": 30, "tags": ["y", "z"]}],
         "s": "  Hello World  ", "list": [3, 1, 2, 3], "d": {"b": 2, "a": 1, "C": 3}, "huge": 123456789012345678901234567890,
         "kinds": [{"k": "b", "v": 1}, {"k": "A", "v": 2}, {"k": "B", "v": 3}, {"v": 4}]}
        """;

    [Theory]
    [InlineData("'{}-{}'.format(1, 'x')", "1-x")]
    [InlineData("'{1}{0}{1}'.format('a', 'b')", "bab")]
    [InlineData("'{name}: {age:>5}|'.format(name='Bo', age=7)", "Bo:     7|")]
    [InlineData("'{:.2f} {:8.3f}|{:<8.1f}|{:+.0f}'.format(2.675, 3.14159, 2.25, 2.5)", "2.67    3.142|2.2     |+2")]
    [InlineData("'{:.0f} {:.1f} {:.2f}'.format(0.5, 0.25, 0.125)", "0 0.2 0.12")]
    [InlineData(
        "'{:e} {:.3E} {:g} {:G} {:.3g}'.format(12345.678, 0.00012, 1e20, 1e-7, 1234567)",
        "1.234568e+04 1.200E-04 1e+20 1E-07 1.23e+06")]
    [InlineData("'{:g} {:g} {:#g} {:.0g}'.format(100000, 1000000, 1.5, 123)", "100000 1e+06 1.50000 1e+02")]
    [InlineData("'{:%} {:.1%}'.format(0.25, 0.12345)", "25.000000% 12.3%")]
    [InlineData("'{:d} {:5d}|{:<5d}|{:^5d}|{:05d}|{:+d}|{: d}'.format(42, 42, 42, 42, -42, 42, 42)", "42    42|42   | 42  |-0042|+42| 42")]
    [InlineData(
        "'{:x} {:X} {:#x} {:o} {:#o} {:b} {:#010b} {:c}'.format(255, 255, 255, 8, 8, 5, 5, 97)",
        "ff FF 0xff 10 0o10 101 0b00000101 a")]
    [InlineData(
        "'{:,} {:_} {:,.2f} {:_x} {:09,} {:08,}'.format(1234567, 1234567, 9876.543, 123456789, 1234, 1234)",
        "1,234,567 1_234_567 9,876.54 75b_cd15 0,001,234 0,001,234")]
    [InlineData(
        "'{:*^9}|{:>4}|{:<4}|{:^5}|{:.2}|{:5.1}|'.format('mid', 'a', 'b', 'c', 'long', 'xyz')",
        "***mid***|   a|b   |  c  |lo|x    |")]
    [InlineData("'{:é>4}'.format('a')", "éééa")]
    [InlineData("'{!r} {!s} {!a}'.format(\"it's\", 'é', 'é')", "\"it's\" é '\\xe9'")]
    [InlineData("'{{}} {{{}}}'.format(1)", "{} {1}")]
    [InlineData("'{:{}} {:{w}.{p}f}|'.format('a', 4, 2.5, w=6, p=2)", "a      2.50|")]
    [InlineData("'{} {} {} {}'.format(none, true, [1, 'a'], {'a': 1})", "None True [1, 'a'] {'a': 1}")]
    [InlineData("'{:d} {:5}|'.format(true, false)", "1     0|")]
    [InlineData("'{:10}|{:10}|{:<10}|'.format('a', 1, 2.5)", "a         |         1|2.5       |")]
    [InlineData("'{:.3} {:.10} {}'.format(1234.5, 0.1, 1e16)", "1.23e+03 0.1 1e+16")]
    [InlineData("'{:.3} {:.1}'.format(12.0, 100.0)", "12.0 1e+02")]
    [InlineData("'{0}'.format(huge)", "123456789012345678901234567890")]
    [InlineData("'{:,}'.format(huge)", "123,456,789,012,345,678,901,234,567,890")]
    [InlineData("'{a} {b}'.format_map({'a': 1, 'b': 'x'})", "1 x")]
    [InlineData("'{:=+8d}|{:=8.2f}|{:x=8}'.format(42, -2.5, 7)", "+     42|-   2.50|xxxxxxx7")]
    [InlineData("'{:^+9.2f}|'.format(3.14159)", "  +3.14  |")]
    [InlineData("'%s %s' % ('a', 1)", "a 1")]
    [InlineData("'%s' % 'a'", "a")]
    [InlineData("'%s' % [1, 2]", "[1, 2]")]
    [InlineData("'%(name)s is %(age)03d' % people[0]", "Bo is 030")]
    [InlineData("'%(a)s %(a)r' % {'a': 'x'}", "x 'x'")]
    [InlineData("'%5s|%-5s|%.2s|%c%c' % ('a', 'b', 'cde', 'x', 97)", "    a|b    |cd|xa")]
    [InlineData("'%d %5d|%-5d|%05d|%+d|% d|%.3d' % (42, 42, 42, -42, 42, 42, 7)", "42    42|42   |-0042|+42| 42|007")]
    [InlineData("'%x %X %#x %o %#o %#X' % (255, 255, 255, 8, 8, 255)", "ff FF 0xff 10 0o10 0XFF")]
    [InlineData(
        "'%f %.2f %8.3f|%e %.1E %g %G' % (1.5, 2.675, 3.14159, 12345.678, 0.00012, 1e20, 1e-7)",
        "1.500000 2.67    3.142|1.234568e+04 1.2E-04 1e+20 1E-07")]
    [InlineData("'%i %u %d' % (3.99, 7, true)", "3 7 1")]
    [InlineData("'%%|%5.1f%%' % 12.34", "%| 12.3%")]
    [InlineData("'%*d|%-*d|%.*f' % (5, 42, 5, 42, 2, 3.14159)", "   42|42   |3.14")]
    [InlineData("'%a %r' % ('é', 'é')", "'\\xe9' 'é'")]
    [InlineData("'100%' | replace('%', ' percent')", "100 percent")]
    [InlineData("'%d' % huge", "123456789012345678901234567890")]
    [InlineData("'%s-%s' | format(1, 'x')", "1-x")]
    [InlineData("'%(a)s-%(b)05.1f' | format(a='x', b=2.25)", "x-002.2")]
    [InlineData("people | groupby('age') | list | length", "2")]
    [InlineData("people | groupby('age') | map(attribute='grouper') | list", "[25, 30]")]
    [InlineData("people | groupby('age') | map(attribute='list') | map('length') | list", "[1, 2]")]
    [InlineData("(people | groupby('age'))[0].grouper", "25")]
    [InlineData("(people | groupby('age') | first).list[0].name", "al")]
    [InlineData("(people | groupby('age') | last)[1] | map(attribute='name') | join(',')", "Bo,Cy")]
    [InlineData("people | groupby('tags.0', default='-') | map(attribute=0) | list", "['-', 'x', 'y']")]
    [InlineData("kinds | groupby('k', default='') | map(attribute='grouper') | list", "['', 'A', 'b']")]
    [InlineData("kinds | groupby('k', default='', case_sensitive=true) | map(attribute='grouper') | list", "['', 'A', 'B', 'b']")]
    [InlineData("([{'a': 1}] | groupby('a'))[0]", "(1, [{'a': 1}])")]
    [InlineData("([{'a': 1}] | groupby('a'))[0] == (1, [{'a': 1}])", "True")]
    [InlineData("'Straße ΑΣ ﬁ'.casefold()", "strasse ασ fi")]
    [InlineData("'aBc Dé'.swapcase()", "AbC dÉ")]
    [InlineData("'ab'.center(5, '*') ~ 'abc'.center(6, '-') ~ 'ab'.center(1) ~ 'a'.center(4, '.')", "**ab*-abc--ab.a..")]
    [InlineData("'a\\tbc\\td'.expandtabs(4)", "a   bc  d")]
    [InlineData(
        "'abc'.isascii() ~ 'é'.isascii() ~ 'a1_'.isidentifier() ~ '1a'.isidentifier() ~ 'Ab Cd'.istitle() ~ 'a b'.isprintable()",
        "TrueFalseTrueFalseTrueTrue")]
    [InlineData(
        "'abcabc'.rindex('b') ~ 'abcabc'.index('c', 3) ~ 'abcabc'.find('a', 1, 3) ~ 'abcabc'.find('a', -3) ~ 'abcabc'.rfind('a', 0, 3)",
        "45-130")]
    [InlineData("'abcabc'.count('a', 1) ~ 'abcabc'.count('', 2, 4)", "13")]
    [InlineData("'abc'.startswith('b', 1) ~ 'abc'.endswith('b', 0, 2) ~ 'abc'.startswith(('x', 'a'))", "TrueTrueTrue")]
    [InlineData("' a  b c '.rsplit() ~ 'a b  c'.rsplit(none, 1)", "['a', 'b', 'c']['a b', 'c']")]
    [InlineData("'a\\nb\\r\\nc'.splitlines(true)", "['a\\n', 'b\\r\\n', 'c']")]
    [InlineData("'a\\x0bb\\u2028c'.splitlines()", "['a', 'b', 'c']")]
    [InlineData("'+7'.zfill(4) ~ '-7'.zfill(4)", "+007-007")]
    [InlineData("[1, 2, 1].index(1, 1)", "2")]
    [InlineData("d.popitem() ~ d", "('C', 3){'b': 2, 'a': 1}")]
    [InlineData("'ff' | int(base=16) ~ '0b11' | int(0, 2) ~ '0x1f' | int(0, 16) ~ 'zz' | int(7, 16) ~ '12' | int", "255331712")]
    [InlineData(
        "1000 | filesizeformat ~ '|' ~ 1 | filesizeformat ~ '|' ~ 1500000 | filesizeformat ~ '|' ~ 2048 | filesizeformat(true)",
        "1.0 kB|1 Byte|1.5 MB|2.0 KiB")]
    [InlineData("'the quick brown fox' | wordwrap(10)", "the quick\nbrown fox")]
    [InlineData("'a longerword b' | wordwrap(5, wrapstring='|')", "a lon|gerwo|rd b")]
    [InlineData("'a longerword b' | wordwrap(5, false, '|')", "a|longerword|b")]
    [InlineData("'well-known fact' | wordwrap(6, true, '|')", "well-|known|fact")]
    [InlineData("'<p>a <b>b</b></p> c<!-- x -->' | striptags", "a b c")]
    [InlineData("'x' is escaped", "False")]
    [InlineData("people | sort(attribute='age,name') | map(attribute='name') | list", "['al', 'Bo', 'Cy']")]
    [InlineData("people | map(attribute='name') | map('lower') | sort | list", "['al', 'bo', 'cy']")]
    [InlineData("'a-b' | upper is upper", "True")]
    [InlineData("3.0 | round ~ 2.5 | round ~ 2.567 | round(2) ~ 2.1 | round(method='ceil')", "3.02.02.573.0")]
    [InlineData("'{:>{w}}'.format('x', w=3)", "  x")]
    [InlineData("'{:.{}f}'.format(2.5, 3)", "2.500")]
    [InlineData("'abc' | batch(2) | list", "[['a', 'b'], ['c']]")]
    [InlineData("'{0!r:>6}|'.format('a')", "   'a'|")]
    [InlineData("'{:n}'.format(1234)", "1234")]
    [InlineData("'{:6.2f}{:<6}{:>6}'.format(1.005, 'ab', 'cd')", "  1.00ab        cd")]
    [InlineData("'{:s}|{:5s}|'.format('a', 'b')", "a|b    |")]
    [InlineData("'{:,d}'.format(-1234567)", "-1,234,567")]
    [InlineData("'%s and %s' | format('a', people[0].name)", "a and Bo")]
    [InlineData("'{[a]}'.format({'a': 5})", "5")]
    [InlineData("'{:.5g} {:g} {:g}'.format(0.0001234567, 0.00001, 123456789)", "0.00012346 1e-05 1.23457e+08")]
    [InlineData("'{:.15f} {:.20f}'.format(0.1, 0.1)", "0.100000000000000 0.10000000000000000555")]
    [InlineData("'{} {}'.format(0.1, 1e22)", "0.1 1e+22")]
    [InlineData("'{:.1f} {:.3e}'.format(1e22, 5e-324)", "10000000000000000000000.0 4.941e-324")]
    public void Expressions_print_what_Jinja_prints(string expression, string expected) =>
        Assert.Equal(expected, Rendering.Render("{{ " + expression + " }}", Variables));

    /// <summary>As in the sandbox that transformers renders with.</summary>
    [Fact]
    public void A_field_reads_members_of_dicts_as_Jinja_does() => Assert.Equal(
        "Bo 30 3", Rendering.Render("{{ '{0.name} {0[age]} {1[0]}'.format(people[0], list) }}", Variables));

    [Fact]
    public void Groups_unpack_into_key_and_items() => Assert.Equal(
        "25:al;30:Bo,Cy;",
        Rendering.Render(
            "{% for age, group in people | groupby('age') %}{{ age }}:{{ group | map(attribute='name') | join(',') }};{% endfor %}",
            Variables));

    [Fact]
    public void Groups_have_names_for_their_parts() => Assert.Equal(
        "25:1;30:2;",
        Rendering.Render("{% for g in people | groupby('age') %}{{ g.grouper }}:{{ g.list | length }};{% endfor %}", Variables));

    [Theory]
    [InlineData("'{}'.format()", "needs more than 0 values")]
    [InlineData("'{a}'.format(1)", "has no value 'a'")]
    [InlineData("'{} {0}'.format(1)", "either all its positions")]
    [InlineData("'{'.format(1)", "not closed")]
    [InlineData("'}'.format(1)", "single '}'")]
    [InlineData("'{:q}'.format(1)", "cannot be formatted as 'q'")]
    [InlineData("'{:d}'.format('a')", "cannot be formatted")]
    [InlineData("'{:d}'.format(1.5)", "cannot be formatted as 'd'")]
    [InlineData("'{:5}'.format(none)", "takes no format")]
    [InlineData("'{:9999}'.format(1)", "more than 1000 characters")]
    [InlineData("'{!x}'.format(1)", "unknown conversion")]
    [InlineData("'{:{:{}}}'.format(1, 2, 3)", "too deep")]
    [InlineData("'%s %s' % 'a'", "needs more than 1 values")]
    [InlineData("'a' % 'b'", "needs 0 values, not 1")]
    [InlineData("'%(a)s' % 'b'", "needs a dict")]
    [InlineData("'%(z)s' % d", "has no value 'z'")]
    [InlineData("'%x' % 1.5", "whole number")]
    [InlineData("'%d' % 'a'", "number is needed")]
    [InlineData("'%9999d' % 1", "more than 1000 characters")]
    [InlineData("'%*d' % (9999, 1)", "at most 1000")]
    [InlineData("'%' % 1", "ends inside")]
    [InlineData("'%z' % 1", "unknown placeholder")]
    [InlineData("'abc'.rindex('z')", "substring not found")]
    public void What_Python_refuses_is_refused(string expression, string message)
    {
        var failure = Assert.Throws<ChatTemplateException>(() => Rendering.Render("{{ " + expression + " }}", Variables));

        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
    }

    /// <summary>Each would make far more text, or take far more steps, than the template may.</summary>
    [Theory]
    [InlineData("{% for i in range(100) %}{{ '{:1000}'.format(i) }}{% endfor %}")]
    [InlineData("{% for i in range(100) %}{{ '%1000d' % i }}{% endfor %}")]
    [InlineData("{% for i in range(100) %}{{ '{:.900f}'.format(1.5) }}{% endfor %}")]
    [InlineData("{{ ('x' * 10000) .format() }}{{ ('x' * 10000) % () }}{{ ('x' * 10000).casefold() }}{{ ('x' * 10000).swapcase() }}")]
    [InlineData("{{ ('\t' * 100).expandtabs(1000000) }}")]
    [InlineData("{{ 'a'.center(100000) }}")]
    [InlineData("{{ ('a ' * 9000) | wordwrap(3, wrapstring='xxxxxxxxxx') }}")]
    [InlineData("{{ ('\n' * 9000).splitlines() | length }}{{ range(9000) | groupby(0) | length }}")]
    public void Formats_are_charged_to_the_template(string template) => Assert.Contains(
        "the template",
        Assert.Throws<ChatTemplateException>(
            () => Rendering.Render(template, limits: new RenderLimits(Steps: 10_000, Bytes: 2 * 40_000, CallDepth: 10))).Message,
        StringComparison.Ordinal);

    /// <summary>Python's own round half to even, of the exact value, whatever the number.</summary>
    [Theory]
    [InlineData("1.7976931348623157e308", "{:.1e}", "1.8e+308")]
    [InlineData("5e-324", "{:.2e}", "4.94e-324")]
    [InlineData("0.1", "{:.30f}", "0.100000000000000005551115123126")]
    [InlineData("9.995", "{:.2f}", "9.99")]
    [InlineData("999999.5", "{:.6g}", "1e+06")]
    [InlineData("-0.0", "{:.1f}", "-0.0")]
    public void Floats_have_exact_digits(string number, string format, string expected) =>
        Assert.Equal(expected, Rendering.Render("{{ '" + format + "'.format(x) }}", $$"""{"x": {{number}}}"""));
}
