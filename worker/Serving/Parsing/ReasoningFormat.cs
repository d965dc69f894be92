using Cluster.Worker.Engine;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Serving.Parsing;

/// <summary>How a model marks its thinking. Names are those of vLLM's <c>--reasoning-parser</c>.</summary>
/// <param name="Opens">Marks before it; the first is the usual one.</param>
/// <param name="Closes">Marks behind it.</param>
/// <param name="Always">Whether an output without a mark before it begins with thinking, unless the prompt says otherwise.</param>
internal sealed record ReasoningFormat(string Name, IReadOnlyList<string> Opens, IReadOnlyList<string> Closes, bool Always = false)
{
    public const string Auto = "auto";

    private const string Open = "<think>";
    private const string Close = "</think>";

    /// <summary>gpt-oss has channels for it (<see cref="HarmonyParser"/>).</summary>
    public static ReasoningFormat GptOss { get; } = new(
        "openai_gptoss", [HarmonyParser.Channel + "analysis" + HarmonyParser.Message],
        [.. new[] { "", HarmonyParser.Constrain + "json", " " + HarmonyParser.Constrain + "json" }.Select(
            type => $"{HarmonyParser.Channel}final{type}{HarmonyParser.Message}")],
        Always: true);

    public static ReasoningFormat Granite { get; } = new(
        "granite", ["Here is my thought process:", "Here's my thought process:", Open],
        ["Here is my response:", "Here's my response:", Close]);

    public static IReadOnlyList<ReasoningFormat> All { get; } =
    [
        new("deepseek_r1", [Open], [Close], Always: true),
        new("qwen3", [Open], [Close]),
        new("glm45", [Open], [Close]),
        Granite,
        GptOss,
    ];

    /// <summary>The format of a name; of <see cref="Auto"/>, what the template knows of. Null when that is none.</summary>
    public static ReasoningFormat? Of(string name, IChatTemplate? template)
    {
        if (name != Auto)
        {
            return All.Single(format => format.Name == name);
        }

        // Templates of models that never think may cut thinking out of the history, so the output has the last word.
        return template is null ? null
            : HarmonyParser.IsMentionedBy(template) ? GptOss
            : template.Mentions(Granite.Opens[0]) ? Granite
            : template.Mentions(Close) ? new ReasoningFormat(Auto, [Open], [Close])
            : null;
    }

    /// <summary>Where an output begins.</summary>
    /// <param name="promptEnd">The end of the prompt's text.</param>
    /// <param name="isContinued">Whether the prompt ends within the answer itself, which is then all that is given.</param>
    public ThinkingStart StartOf(string promptEnd, bool isContinued)
    {
        var text = promptEnd.AsSpan().TrimEnd();
        foreach (var (marks, start) in new[] { (Opens, ThinkingStart.Thinking), (Closes, ThinkingStart.Answering) })
        {
            foreach (var mark in marks)
            {
                if (text.EndsWith(mark, StringComparison.Ordinal))
                {
                    return start;
                }
            }
        }

        if (isContinued)
        {
            int Last(IReadOnlyList<string> marks) => marks.Max(mark => promptEnd.LastIndexOf(mark, StringComparison.Ordinal));
            var (open, close) = (Last(Opens), Last(Closes));
            return open > close ? ThinkingStart.Thinking : ThinkingStart.Answering;
        }

        return Always ? ThinkingStart.Thinking : ThinkingStart.Open;
    }

    /// <summary>From where on an output has to look like what was asked for; null for from its beginning.</summary>
    public ConstraintDelay? DelayOf(ThinkingStart start) => start switch
    {
        ThinkingStart.Answering => null,
        ThinkingStart.Thinking => new ConstraintDelay(Closes),
        _ => new ConstraintDelay(Closes) { Openings = Opens },
    };
}
