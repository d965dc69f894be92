using Cluster.Worker.Tokenization;
using Cluster.Worker.Tokenization.Jinja;

namespace Cluster.Worker.Tests.Tokenization;

/// <summary>Templates come with checkpoints: whatever one wants, a rendering takes no more memory than its limits say.</summary>
[Trait(Category.Name, Category.Long)]
public sealed class TemplateMemoryTests
{
    /// <summary>Memory that steps need beside what is charged: scopes, arguments, enumerators.</summary>
    private const long BytesPerStep = 512;

    [Theory]
    [InlineData("{{ ('x' * 130000000) | list | length }}")]
    [InlineData("{% set a = 'x' * 120000000 %}{{ a[0:119000000] }}")]
    [InlineData("{% set a = 'x' * 120000000 %}{{ a[::-1] }}")]
    [InlineData("{{ ('x,' * 60000000).split(',') | length }}")]
    [InlineData("{{ ('x ' * 60000000).split() | length }}")]
    [InlineData("{{ ('x,' * 60000000).rsplit(',') | length }}")]
    [InlineData("{{ ('x\n' * 60000000).splitlines() | length }}")]
    [InlineData("{% for c in 'x' * 130000000 %}{{ c }}{% endfor %}")]
    [InlineData("{{ ('x' * 130000000) | join(',') }}")]
    [InlineData("{{ ','.join('x' * 130000000) }}")]
    [InlineData("{{ ('x' * 130000000).replace('x', 'yy') }}")]
    [InlineData("{{ ('x' * 130000000).replace('', 'y') }}")]
    [InlineData("{% set a = 'x' * 100000000 %}{{ a ~ a ~ a }}")]
    [InlineData("{{ '%s%s%s' % ('x' * 100000000, 'x' * 100000000, 'x' * 10000) }}")]
    [InlineData("{{ ('\"' * 60000000) | tojson }}")]
    [InlineData("{{ ('<' * 60000000) | escape }}")]
    [InlineData("{{ ('/' * 60000000) | urlencode }}")]
    [InlineData("{{ [1, 2, 3] | tojson(separators=('x' * 60000000, 'y')) }}")]
    [InlineData("{{ ('\n' * 60000000) | indent(9000) }}")]
    [InlineData("{{ ('x ' * 60000000) | wordcount }}")]
    [InlineData("{{ ('x' * 130000000) | reverse }}")]
    [InlineData("{{ ('x' * 130000000) | batch(1) | length }}")]
    [InlineData("{{ ('x' * 130000000) | slice(9000000) | length }}")]
    [InlineData("{{ ('x' * 130000000) | map('upper') | list | length }}")]
    [InlineData("{{ ('x' * 130000000) | unique | length }}")]
    [InlineData("{{ ('x' * 130000000) | sort | first }}")]
    [InlineData("{{ raise_exception('x' * 130000000) }}")]
    [InlineData("{{ ('x' * 130000000) % 1 }}")]
    [InlineData("{{ strftime_now('%c' * 60000000) }}")]
    [InlineData("{{ ('x' * 60000000).partition('x')[2].partition('x')[2].partition('x')[2] }}")]
    [InlineData("{% set l = [] %}{% for i in range(3000000) %}{% set _ = l.append({'a': i}) %}{% endfor %}")]
    [InlineData("{% set l = [] %}{% for i in range(3000000) %}{% set _ = l.append('x'.strip) %}{% endfor %}")]
    [InlineData("{% set l = [] %}{% for i in range(3000000) %}{% set _ = l.append(x.y) %}{% endfor %}")]
    [InlineData("{% set l = [] %}{% for i in range(3000000) %}{% macro m() %}{{ i }}{% endmacro %}{% set _ = l.append(m) %}{% endfor %}")]
    public void What_one_operation_makes_is_charged_before_it_is_made(string template)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();

        try
        {
            Rendering.Render(template);
        }
        catch (ChatTemplateException refused)
        {
            Assert.InRange(refused.Message.Length, 1, 10_000);
        }

        // What they leave alone is less than the limit; loops make garbage beside it.
        var limit = template.Contains("range(", StringComparison.Ordinal) ? 4L : 1;
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, limit * RenderLimits.Default.Bytes + (64 << 20));
    }

    [Theory]
    [InlineData("{{ ('a' * 5000000) in ('a' * 50000000) }}")]
    [InlineData("{{ ('a' * 2000000 ~ 'b') in ('a' * 50000000) }}")]
    [InlineData("{{ ('a' * 50000000).count('a' * 2000000 ~ 'b') }}")]
    [InlineData("{{ ('a' * 50000000).rfind('b' ~ 'a' * 2000000) }}")]
    [InlineData("{% set s = 'a' * 40000000 %}{% set t = 'a' * 40000000 %}{{ [s] * 1000000 == [t] * 1000000 }}")]
    [InlineData("{% set s = 'a' * 40000000 %}{% set d = {s: 1} %}{% for i in range(1000000) %}{{ d.get(s) }}{% endfor %}")]
    public void What_takes_time_is_charged_by_the_time_it_takes(string template) =>
        Assert.Contains("steps", Assert.Throws<ChatTemplateException>(() => Rendering.Render(template)).Message, StringComparison.Ordinal);

    [Fact]
    public void Random_hostile_templates_stay_within_the_limits()
    {
        RenderLimits limits = new(Steps: 20_000, Bytes: 4 << 20, CallDepth: 50);
        var ended = (Rendered: 0, Refused: 0);
        for (var seed = 0; seed < 4000; seed++)
        {
            var source = new HostileTemplate(new Random(seed)).Statements(2);
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                Rendering.Render(
                    "{% set ns = namespace(a=1) %}{% set l = [] %}" + source, """{"messages": [{"role": "user", "content": "hi"}]}""",
                    limits);
                ended.Rendered++;
            }
            catch (ChatTemplateException)
            {
                ended.Refused++;
            }

            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(allocated < 2 * limits.Bytes + limits.Steps * BytesPerStep, $"seed {seed}: {allocated} bytes: {source}");
        }

        Assert.True(ended is { Rendered: > 300, Refused: > 300 }, $"{ended}");
    }

    [Theory]
    [InlineData("a🐸bc🐸", "[0]", "a")]
    [InlineData("a🐸bc🐸", "[1]", "🐸")]
    [InlineData("a🐸bc🐸", "[-1]", "🐸")]
    [InlineData("a🐸bc🐸", "[9]", "")]
    [InlineData("a🐸bc🐸", "[1:3]", "🐸b")]
    [InlineData("a🐸bc🐸", "[::-1]", "🐸cb🐸a")]
    [InlineData("a🐸bc🐸", "[::2]", "ab🐸")]
    [InlineData("a🐸bc🐸", "[-2::-2]", "c🐸")]
    [InlineData("abcde", "[3:1]", "")]
    [InlineData("abcde", "[1:99]", "bcde")]
    [InlineData("abcde", "[-99:2]", "ab")]
    [InlineData("abcde", "[::-2]", "eca")]
    [InlineData("abcde", "[4:0:-3]", "eb")]
    [InlineData("abcde", "[::999999999999]", "a")]
    [InlineData("abcde", "[::-999999999999]", "e")]
    [InlineData("", "[::-1]", "")]
    [InlineData("", "[0]", "")]
    public void Positions_of_a_text_count_code_points(string text, string access, string expected) =>
        Assert.Equal(expected, Rendering.Render($"{{{{ '{text}'{access} }}}}"));
}
