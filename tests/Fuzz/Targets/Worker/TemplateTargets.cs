using System.Text.Json.Nodes;
using Cluster.Worker.Tokenization;
using Cluster.Worker.Tokenization.Jinja;

namespace Cluster.Fuzz.Targets.Worker;

/// <summary>Chat templates: programs that come with checkpoints.</summary>
internal static class TemplateTargets
{
    /// <summary>What <see cref="RenderLimits"/> promises of one rendering.</summary>
    private const long PromisedBytes = 256L << 20;

    /// <summary>What is freed again counts as allocated, and the text is written once more when it is done.</summary>
    private const int Slack = 2;

    private static readonly string[] Pieces =
    [
        "{{ ", " }}", "{% ", "{%- ", " %}", "-%}", "{#", "#}", "for m in messages", "endfor", "if m.role == 'user'", "elif x", "else",
        "endif",
        "set x = ", "set ns.a = 1", "endset", "macro f(a, b=1)", "endmacro", "call f(1)", "endcall", "filter upper", "endfilter",
        "break", "continue",
        "generation", "endgeneration", "loop.index0", "loop.previtem", "loop.cycle('a', 'b')", "namespace(a=1)", "messages", "tools",
        "m", "m.content",
        "m['role']", "x", "ns.a", "'a'", "\"b\"", "'\\x41\\n'", "1", "-1", "2.5", "1e308", "9223372036854775807", "10000", "true",
        "none", "[]", "[1, 2]",
        "{'a': 1}", "(1,)", "[::-1]", "[1:]", "[0:99999]", "[-1]", ".a", "|length", "|list", "|join(', ')", "|tojson",
        "|tojson(indent=2)", "|replace('a', 'bb')",
        "|trim", "|upper", "|items", "|dictsort", "|map(attribute='role')", "|selectattr('role', 'equalto', 'user')", "|default('x')",
        "|first", "|last",
        "|sort", "|unique", "|string", "|int", "|float", "|abs", "|round(2)", "|indent(4)", "|batch(2)", "|sum", "|reverse", "|e",
        "|format(1)",
        " is defined", " is string", " is mapping", " is divisibleby(2)", " not in ", " in ", " and ", " or ", "not ", " ~ ", " + ",
        " - ", " * ", " / ", " // ",
        " % ", " ** ", " == ", " < ", "(", ")", ", ", ".split('a')", ".strip()", ".startswith('h')", ".format(1)", ".items()",
        ".append(1)", ".get('a')", ".join(['a'])",
        "range(3)", "range(100000)", "raise_exception('x')", "strftime_now('%Y')", "'%s %5.2f' % ('a', 1)", "lipsum()", "cycler(1)",
        "f(1)", "caller()",
    ];

    public static IFuzzTarget Template(string name) => new TextTarget(
        name,
        [
            .. SeedFiles.Under("tests/fixtures/seeds/chat-templates", "*.jinja"), SeedFiles.Seed("files/chat_template.jinja"),
        ],
        new AnyMutator(new PieceMutator(Pieces), new TextMutator("'a'", "[0:99999]", "messages")),
        exception => exception is ChatTemplateException, RenderTwice)
    {
        Limits = new FuzzLimits(8 * PromisedBytes, TimeSpan.FromSeconds(20), Cost: 2),
    };

    /// <summary>Renders a conversation; a template that fails on it answers the request, and that is all.</summary>
    public static void TryRender(ChatTemplate template)
    {
        try
        {
            template.Render(JsonNode.Parse(Messages)!.AsArray(), tools: null, addGenerationPrompt: true);
        }
        catch (ChatTemplateException)
        {
        }
    }

    private const string Messages = """
        [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi 😀"}, {"role": "assistant", "content": "ho",
          "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"a": [1, 2.5, null], "b": {"c": "é"}}}}]},
         {"role": "tool", "content": "4"}]
        """;

    private const string Tools = """
        [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}}]
        """;

    private static readonly Dictionary<string, string> SpecialTokens = new() { ["bos_token"] = "<s>", ["eos_token"] = "</s>" };

    private static void RenderTwice(string source)
    {
        Template template = new(source);
        var first = Render(template);
        if (Render(template) != first)
        {
            throw new FuzzFailure("a template renders the same twice", first);
        }

        TryRender(new ChatTemplate(source, null, SpecialTokens, new FixedClock()));
    }

    private static string Render(Template template)
    {
        Dictionary<string, object?> variables = new(StringComparer.Ordinal)
        {
            ["messages"] = Values.FromJson(JsonNode.Parse(Messages)),
            ["tools"] = Values.FromJson(JsonNode.Parse(Tools)),
            ["add_generation_prompt"] = true,
            ["bos_token"] = "<s>",
        };
        var before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            return template.Render(variables, new FixedClock(), RenderLimits.Default);
        }
        finally
        {
            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            if (allocated > PromisedBytes * Slack)
            {
                throw new FuzzFailure("a rendering keeps within its memory", $"{allocated >> 20} MiB");
            }
        }
    }

    private sealed class FixedClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;
    }
}
