using System.CommandLine;
using Cluster.Worker.Serving.Parsing;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Commands;

/// <summary>The options of <c>serve</c> that say how the model writes tool calls and reasoning. Names and words are vLLM's.</summary>
internal sealed class OutputFlags
{
    private readonly Option<string> _toolCallParser = OptionChecks.OneOf(
        "--tool-call-parser", "How the model writes tool calls; auto goes by the chat template.",
        [ToolCallFormat.Auto, .. ToolCallFormat.All.Select(format => format.Name).Order(StringComparer.Ordinal)]);

    private readonly Option<string> _reasoningParser = OptionChecks.OneOf(
        "--reasoning-parser", "How the model marks its thinking, which answers have apart; auto goes by the chat template.",
        [ReasoningFormat.Auto, .. ReasoningFormat.All.Select(format => format.Name).Order(StringComparer.Ordinal)]);

    private readonly Option<bool> _enableAutoToolChoice = new("--enable-auto-tool-choice")
    {
        Description = "Accepted for vLLM's command lines; tool calls are always on.",
    };

    public void AddTo(Command command)
    {
        command.Options.Add(_toolCallParser);
        command.Options.Add(_reasoningParser);
        command.Options.Add(_enableAutoToolChoice);
    }

    /// <param name="template">The served model's.</param>
    public OutputFormats Read(ParseResult arguments, IChatTemplate? template) =>
        OutputFormats.Choose(arguments.GetValue(_toolCallParser)!, arguments.GetValue(_reasoningParser)!, template);
}
