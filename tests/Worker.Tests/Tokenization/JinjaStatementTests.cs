
namespace Cluster.Worker.Tests.Tokenization;

/// <summary>Statements, scopes and whitespace control. Expected texts are what Jinja 3.1 prints with <c>trim_blocks</c> and
/// <c>lstrip_blocks</c>.</summary>
public sealed class JinjaStatementTests
{
    [Theory]
    [InlineData("{% for x in [1, 2, 3] %}{{ x }}{% endfor %}", "123")]
    [InlineData("{% for x in [] %}a{% else %}none{% endfor %}", "none")]
    [InlineData("{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}", "a=1;b=2;")]
    [InlineData("{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "123")]
    [InlineData("{% for x in range(6) if x is odd %}{{ loop.index }}:{{ x }} {% endfor %}", "1:1 2:3 3:5 ")]
    [InlineData(
        "{% for x in 'ab' %}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }} {% "
        + "endfor %}",
        "021TrueFalse2 110FalseTrue2 ")]
    [InlineData("{% for x in [1, 2] %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}", "<1>2 1<2> ")]
    [InlineData("{% for x in [1, 1, 2] %}{{ loop.changed(x) }}{{ loop.cycle('a', 'b') }} {% endfor %}", "Truea Falseb Truea ")]
    [InlineData("{% for x in range(9) %}{% if x == 1 %}{% continue %}{% elif x == 3 %}{% break %}{% endif %}{{ x }}{% endfor %}", "02")]
    [InlineData(
        "{% for x in [[1, [2]], [3]] recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}{% endif %}{% endfor %}",
        "(1(2))(3)")]
    [InlineData("{% for x in [1, 2] %}{% for y in 'ab' %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}", "121122")]
    [InlineData("{% for x in missing %}a{% endfor %}b", "b")]
    public void Loops(string template, string expected) => Assert.Equal(expected, Rendering.Render(template));

    [Theory]
    [InlineData("{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{{ x }}{% endfor %}{{ x }}", "21")]
    [InlineData("{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}", "2")]
    [InlineData("{% set ns = namespace(n=0) %}{% for i in [1, 2] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}", "3")]
    [InlineData("{% set a, b = 1, 2 %}{{ a }}{{ b }}", "12")]
    [InlineData("{% set x %}a{{ 1 }}b{% endset %}{{ x }}", "a1b")]
    [InlineData("{% set x | upper | trim %} ab {% endset %}{{ x }}", "AB")]
    [InlineData("{% set x = 'v' %}{% with y = x, x = 1 %}{{ x }}{{ y }}{% endwith %}{{ x }}", "1vv")]
    [InlineData("{% filter upper %}a{{ 'b' }}{% endfilter %}", "AB")]
    [InlineData("a{% generation %}b{% endgeneration %}c", "abc")]
    [InlineData("{% set l = [1] %}{% set _ = l.append(2) %}{{ l }}", "[1, 2]")]
    [InlineData("{% if 0 %}a{% elif '' %}b{% else %}c{% endif %}", "c")]
    [InlineData("{% raw %}{{ x }}{% endraw %}", "{{ x }}")]
    public void Assignments_and_blocks(string template, string expected) => Assert.Equal(expected, Rendering.Render(template));

    [Theory]
    [InlineData("{% macro m(a, b='B') %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }} {{ m(1, 2) }} {{ m(b=3, a=4) }}", "1B 12 43")]
    [InlineData("{% macro m(a) %}[{{ a }}{{ a is defined }}]{% endmacro %}{{ m() }}", "[False]")]
    [InlineData("{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, k=3) }}", "(1, 2){'k': 3}")]
    [InlineData("{% macro f(n) %}{% if n %}{{ n }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}", "321")]
    [InlineData("{% set x = 1 %}{% macro m() %}{{ x }}{% set x = 2 %}{% endmacro %}{{ m() }}{{ x }}", "11")]
    [InlineData("{% macro m(a) %}<{{ caller(a) }}>{% endmacro %}{% call(v) m(7) %}got {{ v }}{% endcall %}", "<got 7>")]
    [InlineData("{% macro m(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ m(*[1, 2]) }}", "12")]
    public void Macros(string template, string expected) => Assert.Equal(expected, Rendering.Render(template));

    [Theory]
    [InlineData("a\n{% if true %}\nb\n{% endif %}\nc", "a\nb\nc")]
    [InlineData("  {% if true %}\n  b\n  {% endif %}\n", "  b\n")]
    [InlineData("x  {% if true %}b{% endif %}", "x  b")]
    [InlineData("a\n  {{ 'b' }}\n", "a\n  b")]
    [InlineData("a \n {%- if true -%} \n b \n {%- endif %}\n c", "ab c")]
    [InlineData("a {{- 'b' -}} c", "abc")]
    [InlineData("  {%+ if true %}b{% endif +%}\nc", "  b\nc")]
    [InlineData("a\n  {# note #}\nb", "a\nb")]
    [InlineData("a {#- note -#} b", "ab")]
    [InlineData("{% if true %}\n\nb{% endif %}", "\nb")]
    [InlineData("a\n", "a")]
    [InlineData("a\n\n", "a\n")]
    [InlineData("a\r\nb", "a\nb")]
    [InlineData("{{ {'a': {'b': 1}}['a']['b'] }}", "1")]
    [InlineData("{{ '%} }}' }}", "%} }}")]
    [InlineData("{% set x = '{%' %}{{ x }}", "{%")]
    [InlineData("{ {a} }", "{ {a} }")]
    [InlineData("{% if true %}\n    {{- 'x' }}\n    {% endif %}\ny", "x\ny")]
    [InlineData("{{ 'a' -}}\n  {% if true %}b{% endif %}", "ab")]
    public void Whitespace_control(string template, string expected) => Assert.Equal(expected, Rendering.Render(template));
}
