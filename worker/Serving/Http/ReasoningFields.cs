using System.Text.Json.Nodes;

namespace Cluster.Worker.Serving.Http;

/// <summary>OpenAI's <c>reasoning_effort</c>, which reaches the template as a variable of that name. Read by
/// <see cref="ChatPrompt"/>.</summary>
internal static class ReasoningFields
{
    private const string Effort = "reasoning_effort";
    private const string None = "none";

    private static readonly string[] Efforts = [None, "minimal", "low", "medium", "high", "xhigh"];

    /// <param name="variables">The request's own, which come first.</param>
    /// <returns>Those, and what the field says.</returns>
    /// <exception cref="ApiException">There is no such effort.</exception>
    public static JsonObject? AddTo(JsonObject? variables, RequestFields fields)
    {
        if (fields.String(Effort) is not { } effort)
        {
            return variables;
        }

        if (!Efforts.Contains(effort))
        {
            throw ApiException.BadRequest($"'{Effort}' is '{effort}'; it must be one of {string.Join(", ", Efforts)}", Effort);
        }

        variables ??= [];
        variables.TryAdd(Effort, JsonValue.Create(effort));
        if (effort == None)
        {
            // What Qwen's and GLM's templates call it, and DeepSeek's and Granite's.
            variables.TryAdd("enable_thinking", JsonValue.Create(false));
            variables.TryAdd("thinking", JsonValue.Create(false));
        }

        return variables;
    }
}
