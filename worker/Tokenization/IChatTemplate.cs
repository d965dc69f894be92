using System.Text.Json.Nodes;

namespace Cluster.Worker.Tokenization;

/// <summary>Renders a conversation to the prompt text a model was trained on. Implemented by <c>ChatTemplate</c> (Jinja).</summary>
internal interface IChatTemplate
{
    /// <param name="messages">OpenAI message objects: at least <c>role</c> and <c>content</c>; passed to the template as they are.</param>
    /// <param name="tools">OpenAI tool definitions, or null.</param>
    /// <param name="addGenerationPrompt">Ends the text with the start of the assistant's turn.</param>
    /// <param name="variables">More variables for the template (<c>enable_thinking</c>, …), under names it does not have yet.</param>
    /// <param name="now">What <c>strftime_now</c> tells; null for the clock's time.</param>
    /// <exception cref="ChatTemplateException">The template raised an error or cannot render this input; the message quotes template line
    /// and cause.</exception>
    string Render(JsonArray messages, JsonArray? tools, bool addGenerationPrompt, JsonObject? variables = null, DateTimeOffset? now = null);

    /// <summary>Whether the template has this word in its source, which tells what the model was trained to write.</summary>
    bool Mentions(string word) => false;
}

/// <summary>A chat template failed on this input. HTTP 400.</summary>
internal sealed class ChatTemplateException(string message, Exception? inner = null) : Exception(message, inner);
