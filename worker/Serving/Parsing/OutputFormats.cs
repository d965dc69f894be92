using System.Text.Json.Nodes;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Serving.Parsing;

/// <summary>How the served model writes tool calls and reasoning. Chosen when the model is loaded; makes the parsers of outputs.</summary>
/// <param name="Reasoning">Null when the model has none.</param>
internal sealed record OutputFormats(ToolCallFormat Tools, ReasoningFormat? Reasoning)
{
    /// <summary>Hermes, and no reasoning.</summary>
    public static OutputFormats Default { get; } = new(ToolCallFormat.Hermes, null);

    /// <summary>What the options name (<c>--tool-call-parser</c>, <c>--reasoning-parser</c>), or what the template's words tell.</summary>
    public static OutputFormats Choose(string tools, string reasoning, IChatTemplate? template)
    {
        var format = ToolCallFormat.Of(tools, template);
        return new OutputFormats(
            format, ReasoningFormat.Of(reasoning, template) ?? (format == ToolCallFormat.OpenAi ? ReasoningFormat.GptOss : null));
    }

    /// <summary>Whether answers are to be taken apart even where no tool can be called.</summary>
    private bool IsHarmony => Reasoning == ReasoningFormat.GptOss || Tools == ToolCallFormat.OpenAi;

    /// <summary>Tokens that a parser has to see though they are special.</summary>
    public IReadOnlyList<string> MarkersOf(CallDemand demand) =>
    [
        .. IsHarmony ? ToolCallFormat.OpenAi.Markers : demand == CallDemand.Auto ? Tools.Markers : [],
        .. IsHarmony || Reasoning is null ? [] : Reasoning.Opens,
        .. IsHarmony || Reasoning is null ? [] : Reasoning.Closes,
    ];

    /// <summary>A parser for one output; null when all of it is text.</summary>
    /// <param name="name">Of the function that is demanded by its name.</param>
    /// <param name="tools">Definitions of those that may be called.</param>
    /// <param name="maxCalls">Calls beyond are dropped.</param>
    /// <param name="ids">For calls that bring none.</param>
    public OutputParser? Create(CallDemand demand, string? name, JsonArray? tools, int maxCalls, ThinkingStart start, CallIds ids)
    {
        var answer = demand switch
        {
            CallDemand.Required => new JsonCallsParser([], null, BareCalls.ListAtStart),
            CallDemand.Named => new NamedCallParser(name!),
            CallDemand.Auto when !IsHarmony => Tools.Create(new ToolSchemas(tools)),
            _ => (IOutputParser)new PlainText(),
        };
        if (answer is PlainText && !IsHarmony && Reasoning is null)
        {
            return null;
        }

        var endings = demand == CallDemand.Auto ? Tools.Beginnings : [];
        var parser = IsHarmony ? new HarmonyParser(answer)
            : Reasoning is null ? answer
            : new ThinkingParser(Reasoning, start, endings, answer);
        var pieces = new OutputPieces(demand == CallDemand.None ? 0 : maxCalls, demand != CallDemand.None, ids, Tools.SpellId);

        // OpenAI's service says stop where the request itself had named the call.
        return new OutputParser(parser, pieces, saysCalls: demand != CallDemand.Named);
    }
}
