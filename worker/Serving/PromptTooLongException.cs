namespace Cluster.Worker.Serving;

/// <summary>The prompt leaves no room for one token of output. Clients that shorten their prompts look for this error's code.</summary>
/// <param name="parameter">The field the prompt is made of.</param>
internal sealed class PromptTooLongException(string message, string parameter) : Exception(message)
{
    public string Parameter { get; } = parameter;
}
