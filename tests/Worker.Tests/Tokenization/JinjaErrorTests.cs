using Cluster.Worker.Tokenization;
using Cluster.Worker.Tokenization.Jinja;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>A template that fails says where and why; a hostile one comes to an end.</summary>
public sealed class JinjaErrorTests
{
    [Theory]
    [InlineData("a\nb\n{{ raise_exception('roles must alternate') }}", 3, "roles must alternate", "{{ raise_exception(")]
    [InlineData("a\n{{ missing.name }}", 2, "'missing' is undefined", "{{ missing.name }}")]
    [InlineData("{{ 'a' + none }}", 1, "'+' cannot be applied to str and none", null)]
    [InlineData("{{ 'a' + missing }}", 1, "'missing' is undefined", null)]
    [InlineData("{{ {}.x.y }}", 1, "'dict object' has no attribute 'x'", null)]
    [InlineData("{{ 1 / 0 }}", 1, "division by zero", null)]
    [InlineData("{{ 9223372036854775807 + 1 }}", 1, "beyond 64 bits", null)]
    [InlineData("{{ 1 | nope }}", 1, "there is no filter 'nope'", null)]
    [InlineData("{{ 1 is nope }}", 1, "there is no test 'nope'", null)]
    [InlineData("{{ 'a'() }}", 1, "str cannot be called", null)]
    [InlineData("{% for a, b in [[1]] %}{% endfor %}", 1, "1 values cannot be unpacked into 2 names", null)]
    [InlineData("{% set x.y = 1 %}", 1, "'x' is not a namespace", null)]
    [InlineData("{% set f = 1 %}\n{{ [1, 'a'] | sort }}", 2, "cannot be ordered", null)]
    [InlineData("{{ missing | tojson }}", 1, "cannot be written as JSON", null)]
    [InlineData("{% macro m() %}\n{{ 1 / 0 }}{% endmacro %}\n{{ m() }}", 2, "division by zero", null)]
    public void A_failing_rendering_names_line_and_cause(string template, int line, string cause, string? quote)
    {
        var e = Assert.Throws<ChatTemplateException>(() => Rendering.Render(template));
        Assert.StartsWith($"chat template line {line}: ", e.Message, StringComparison.Ordinal);
        Assert.Contains(cause, e.Message, StringComparison.Ordinal);
        Assert.Contains(quote ?? "", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a\n{% if x %}b", 2, "expected '{% elif %}' or '{% else %}' or '{% endif %}', found end of template")]
    [InlineData("{{ 1 +", 1, "a tag is not closed with '}}'")]
    [InlineData("\n\n{{ 'abc }}", 3, "a string is not closed")]
    [InlineData("{# abc", 1, "a comment is not closed")]
    [InlineData("{{ (1] }}", 1, "unexpected ']'")]
    [InlineData("{{ 1 $ 2 }}", 1, "unexpected character '$'")]
    [InlineData("{{ }}", 1, "expected an expression, found '}}'")]
    [InlineData("{% nope %}", 1, "unknown or misplaced statement 'nope'")]
    [InlineData("{% endif %}", 1, "unknown or misplaced statement 'endif'")]
    [InlineData("{% include 'x' %}", 1, "unknown or misplaced statement 'include'")]
    [InlineData("{% break %}", 1, "'break' outside of a loop")]
    [InlineData("{% raw %}x", 1, "is not closed with '{% endraw %}'")]
    [InlineData("{{ '\\uZZZZ' }}", 1, "an escape without 4 hexadecimal digits")]
    [InlineData("{{ f(a=1, 2) }}", 1, "a positional argument follows a named one")]
    [InlineData("{{ 99999999999999999999 }}", 1, "beyond 64 bits")]
    public void A_malformed_template_names_line_and_cause(string template, int line, string cause)
    {
        var e = Assert.Throws<ChatTemplateException>(() => new Template(template));
        Assert.StartsWith($"chat template line {line}: ", e.Message, StringComparison.Ordinal);
        Assert.Contains(cause, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{% for a in range(1000000) %}{% for b in range(1000000) %}{% endfor %}{% endfor %}")]
    [InlineData("{{ range(999999999999) }}")]
    [InlineData("{{ 'a' * 999999999999 }}")]
    [InlineData("{{ [1] * 999999999999 }}")]
    [InlineData("{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}")]
    [InlineData("{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(99) %}{% set ns.s = ns.s.replace('a', 'aaaa') %}{% endfor %}")]
    [InlineData("{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% endfor %}")]
    [InlineData("{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}")]
    [InlineData("{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l | tojson }}")]
    [InlineData(
        "{% set a = namespace(l=[1], m=[1]) %}{% for i in range(99) %}{% set a.l = [a.l, a.l] %}{% set a.m = [a.m, a.m] %}{% endfor %}{{ "
        + "a.l == a.m }}")]
    [InlineData("{% set l = [] %}{% set _ = l.append(l) %}{{ l }}")]
    [InlineData("{% set ns = namespace(l=[]) %}{% for i in range(200000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}")]
    [InlineData("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}")]
    [InlineData("{{ '%999999999d' % 1 }}")]
    [InlineData("{{ [[1]] | tojson(indent=2000000000) }}")]
    public void A_hostile_template_comes_to_an_end(string template)
    {
        RenderLimits limits = new(Steps: 1_000_000, Bytes: 20_000_000, CallDepth: 100);
        Assert.Throws<ChatTemplateException>(() => Rendering.Render(template, limits: limits));
    }

    [Fact]
    public void A_template_nested_too_deeply_is_refused()
    {
        var deep = "{{ " + new string('(', 100_000) + "1" + new string(')', 100_000) + " }}";
        var e = Assert.Throws<ChatTemplateException>(() => new Template(deep));
        Assert.Contains("nested deeper than", e.Message, StringComparison.Ordinal);
    }
}
