using Cluster.Worker.Engine;
using Cluster.Worker.Serving.Parsing;

namespace Cluster.Worker.Serving.Http;

/// <summary>The messages that the outputs of a chat request are. Used by <see cref="ChatCompletionsEndpoint"/>; an
/// <see cref="OutputPlan"/> takes the outputs apart.</summary>
internal sealed class ChatOutput
{
    private readonly OutputPlan _plan;
    private readonly Constraint? _demand;
    private readonly bool _showsReasoning;

    private ChatOutput(OutputPlan plan, Constraint? demand, bool showsReasoning)
    {
        (_plan, _demand, _showsReasoning) = (plan, demand, showsReasoning);
    }

    /// <param name="requestId">What ids of calls are made of; null draws them.</param>
    public static ChatOutput Read(
        RequestFields fields, ServedModel model, ChatTools tools, IReadOnlyList<int> prompt, string? requestId)
    {
        var continues = fields.Boolean("continue_final_message") ?? false;
        var plan = new OutputPlan(model.Formats, model.Tokenizer, tools.Calls, prompt, continues)
        {
            Name = tools.Name,
            Tools = tools.Definitions,
            MaxCalls = tools.MaxCalls,
            RequestId = requestId,
        };
        return new ChatOutput(plan, tools.Demand, fields.Boolean("include_reasoning") ?? true);
    }

    /// <summary>The request's sampling with what is demanded of the output.</summary>
    /// <exception cref="ApiException">The request constrains the output in two ways.</exception>
    public SamplingParameters Sampling(SamplingParameters given) => _plan.Sampling(_demand switch
    {
        null => given,
        _ when given.Constraint is not null =>
            throw ApiException.BadRequest("'tool_choice' demands a call, which leaves no room for a format of the output", "tool_choice"),
        _ => given with { Constraint = _demand },
    });

    /// <summary>A parser for one answer; null when all of it is text.</summary>
    public OutputParser? CreateParser(int choice) => _plan.CreateParser(choice);

    /// <summary>The message that a whole text holds.</summary>
    /// <param name="parser">Of this answer.</param>
    public AssistantMessage Message(string text, OutputParser? parser)
    {
        if (parser is null)
        {
            return new AssistantMessage("assistant", text);
        }

        var pieces = parser.Add(text, ended: true);
        var content = TextOf(pieces, PieceKind.Content);
        var reasoning = TextOf(pieces, PieceKind.Reasoning);
        var calls = ToolCall.Of(pieces);
        return new AssistantMessage(
            "assistant",
            content is null && calls is null && reasoning is null ? "" : content,
            calls is null ? null : [.. calls.Select(call => call with { Index = null })])
        {
            ReasoningContent = _showsReasoning ? reasoning : null,
        };
    }

    /// <summary>What the next text adds to a message.</summary>
    /// <param name="parser">Of this answer.</param>
    public MessageDelta Delta(string text, bool ended, OutputParser? parser)
    {
        if (parser is null)
        {
            return new MessageDelta(null, text.Length == 0 ? null : text);
        }

        var pieces = parser.Add(text, ended);
        return new MessageDelta(null, TextOf(pieces, PieceKind.Content), ToolCall.Of(pieces))
        {
            ReasoningContent = _showsReasoning ? TextOf(pieces, PieceKind.Reasoning) : null,
        };
    }

    private static string? TextOf(IReadOnlyList<OutputPiece> pieces, PieceKind kind) =>
        pieces.Any(piece => piece.Kind == kind)
            ? string.Concat(pieces.Where(piece => piece.Kind == kind).Select(piece => piece.Text))
            : null;
}
