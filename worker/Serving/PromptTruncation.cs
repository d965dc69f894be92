using Cluster.Worker.Engine;

namespace Cluster.Worker.Serving;

/// <summary>vLLM's <c>truncate_prompt_tokens</c>: keeps the end of a prompt. Called by the endpoints that have the field.</summary>
internal static class PromptTruncation
{
    private const string Name = "truncate_prompt_tokens";

    /// <summary>Drops the front of a prompt that is too long.</summary>
    /// <param name="longest">Most tokens to keep; -1 as many as leave room for one of output. Null keeps all.</param>
    /// <param name="maxModelLength">Longest sequence, prompt and output together.</param>
    /// <exception cref="InvalidRequestException">The number is neither -1 nor a possible prompt length.</exception>
    public static IReadOnlyList<int> Apply(IReadOnlyList<int> prompt, int? longest, int maxModelLength)
    {
        var kept = longest == -1 ? maxModelLength - 1 : longest ?? prompt.Count;
        if (longest is not null && (kept < 1 || kept > maxModelLength))
        {
            throw new InvalidRequestException($"{Name} is {longest}; possible are -1 and 1 to {maxModelLength}", Name);
        }

        return prompt.Count <= kept ? prompt : [.. prompt.Skip(prompt.Count - kept)];
    }

    /// <summary>As a JSON request asks for it.</summary>
    public static IReadOnlyList<int> Apply(IReadOnlyList<int> prompt, Http.RequestFields fields, int maxModelLength) =>
        Apply(prompt, fields.Integer(Name), maxModelLength);
}
