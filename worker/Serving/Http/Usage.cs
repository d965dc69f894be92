using Cluster.Worker.Engine;

namespace Cluster.Worker.Serving.Http;

/// <summary>OpenAI's token counts of a response.</summary>
internal sealed record Usage(int PromptTokens, int CompletionTokens, int TotalTokens, PromptTokensDetails PromptTokensDetails)
{
    /// <summary>Sums the choices; a prompt sampled <paramref name="n"/> times counts once.</summary>
    /// <param name="last">The last output of each choice; null where a choice had none.</param>
    public static Usage Of(IReadOnlyList<TokenOutput?> last, int n)
    {
        var prompt = 0;
        var cached = 0;
        var completion = 0;
        for (var i = 0; i < last.Count; i++)
        {
            if (last[i] is not { } output)
            {
                continue;
            }

            completion += output.CompletionTokens;
            if (i % n == 0)
            {
                prompt += output.PromptTokens;
                cached += output.CachedTokens;
            }
        }

        return new Usage(prompt, completion, prompt + completion, new PromptTokensDetails(cached));
    }
}

internal sealed record PromptTokensDetails(int CachedTokens);

/// <summary>Spells engine values as the APIs do.</summary>
internal static class Wire
{
    public static string? Spell(FinishReason? reason) => reason switch
    {
        FinishReason.Stop => "stop",
        FinishReason.Length => "length",
        FinishReason.Abort => "abort",
        _ => null,
    };

    /// <summary>A stop token's id as a number, a stop text as text.</summary>
    public static object? StopReason(TokenOutput? output) => output?.StopTokenId is { } id ? id : output?.StopReason;
}
