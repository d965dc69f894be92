using Cluster.Worker.Engine;

namespace Cluster.Worker.Serving;

/// <summary>vLLM's <c>truncate_prompt_tokens</c>: keeps the end of a prompt. Called by the endpoints that have the field.</summary>
internal static class PromptTruncation
{
    private const string Name = "truncate_prompt_tokens";

    /// <summary>How many tokens of a prompt are kept; null for all.</summary>
    /// <param name="longest">Most tokens to keep; -1 as many as leave room for one of output. Null keeps all.</param>
    /// <param name="maxModelLength">Longest sequence, prompt and output together.</param>
    /// <exception cref="InvalidRequestException">The number is neither -1 nor a possible prompt length.</exception>
    public static int? Kept(int? longest, int maxModelLength)
    {
        var kept = longest == -1 ? maxModelLength - 1 : longest;
        return kept is null || (kept >= 1 && kept <= maxModelLength)
            ? kept
            : throw new InvalidRequestException($"{Name} is {longest}; possible are -1 and 1 to {maxModelLength}", Name);
    }

    /// <summary>As a JSON request asks for it.</summary>
    public static int? Kept(Http.RequestFields fields, int maxModelLength) => Kept(fields.Integer(Name), maxModelLength);

    /// <summary>Drops the front of a prompt that is longer than <paramref name="kept"/>.</summary>
    public static IReadOnlyList<int> Apply(IReadOnlyList<int> prompt, int? kept) =>
        kept is not { } count || prompt.Count <= count ? prompt : [.. prompt.Skip(prompt.Count - count)];
}
