using Cluster.Worker.Engine;
using Cluster.Worker.Serving.Parsing;

namespace Cluster.Worker.Serving.Http;

/// <summary>How the answers to a chat request are taken apart, and what the engine has to do for it. Read by
/// <see cref="ChatCompletionsEndpoint"/>.</summary>
internal sealed class ChatOutput
{
    /// <summary>Tokens at the end of a prompt that show what a template has begun.</summary>
    private const int PromptEnd = 32;

    private readonly ServedModel _model;
    private readonly ChatTools _tools;
    private readonly ThinkingStart _start;
    private readonly bool _showsReasoning;

    private ChatOutput(ServedModel model, ChatTools tools, ThinkingStart start, bool showsReasoning)
    {
        (_model, _tools, _start, _showsReasoning) = (model, tools, start, showsReasoning);
    }

    public static ChatOutput Read(RequestFields fields, ServedModel model, ChatTools tools, IReadOnlyList<int> prompt)
    {
        var shows = fields.Boolean("include_reasoning") ?? true;
        var continues = fields.Boolean("continue_final_message") ?? false;
        if (model.Formats.Reasoning is not { } reasoning)
        {
            return new ChatOutput(model, tools, ThinkingStart.Answering, shows);
        }

        int[] end = [.. continues ? prompt : prompt.Skip(prompt.Count - PromptEnd)];
        return new ChatOutput(
            model, tools, reasoning.StartOf(model.Tokenizer.Decode(end, skipSpecialTokens: false), continues), shows);
    }

    /// <summary>The request's sampling with what is demanded of the output, and with the marks that its parser looks for.</summary>
    /// <exception cref="ApiException">The request constrains the output in two ways.</exception>
    public SamplingParameters Sampling(SamplingParameters given)
    {
        if (_tools.Demand is not null && given.Constraint is not null)
        {
            throw ApiException.BadRequest("'tool_choice' demands a call, which leaves no room for a format of the output", "tool_choice");
        }

        return given with
        {
            Constraint = _tools.Demand ?? given.Constraint,
            ConstraintDelay = _model.Formats.Reasoning?.DelayOf(_start),
            KeptSpecialTokens = [
                .. _model.Formats.MarkersOf(_tools.Calls).Select(_model.Tokenizer.TokenToId).OfType<int>().Where(_model.Tokenizer.IsSpecial)],
        };
    }

    /// <summary>A parser for one answer; null when all of it is text.</summary>
    public OutputParser? CreateParser() => _model.Formats.Create(_tools.Calls, _tools.Name, _tools.Definitions, _tools.MaxCalls, _start);

    /// <summary>The message that a whole text holds.</summary>
    /// <param name="parser">Of this answer.</param>
    public AssistantMessage Message(string text, OutputParser? parser)
    {
        if (parser is null)
        {
            return new AssistantMessage("assistant", text);
        }

        var pieces = parser.Add(text, ended: true);
        var content = Text(pieces, PieceKind.Content);
        var reasoning = Text(pieces, PieceKind.Reasoning);
        var calls = ToolCall.Of(pieces);
        return new AssistantMessage(
            "assistant",
            content.Length == 0 && (calls is not null || reasoning.Length > 0) ? null : content,
            calls is null ? null : [.. calls.Select(call => call with { Index = null })])
        {
            ReasoningContent = Shown(reasoning),
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
        var content = Text(pieces, PieceKind.Content);
        return new MessageDelta(null, content.Length == 0 ? null : content, ToolCall.Of(pieces))
        {
            ReasoningContent = Shown(Text(pieces, PieceKind.Reasoning)),
        };
    }

    private string? Shown(string reasoning) => _showsReasoning && reasoning.Length > 0 ? reasoning : null;

    private static string Text(IReadOnlyList<OutputPiece> pieces, PieceKind kind) =>
        string.Concat(pieces.Where(piece => piece.Kind == kind).Select(piece => piece.Text));
}
