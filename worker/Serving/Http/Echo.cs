using Cluster.Worker.Engine;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Serving.Http;

/// <summary>A prompt as it begins the text of a choice (<c>echo</c>). Used by <see cref="CompletionsEndpoint"/>.</summary>
internal sealed class Echo(ITokenizer tokenizer, IReadOnlyList<int> promptTokenIds)
{
    public string Text { get; } = tokenizer.Decode([.. promptTokenIds], skipSpecialTokens: false);

    /// <summary>What to ask the engine for: <c>logprobs</c> cover the prompt, too, and without any output there is nothing else to
    /// compute.</summary>
    public static int? PromptLogprobs(int maxTokens, int? logprobs, int? promptLogprobs) =>
        logprobs is null && promptLogprobs is null
            ? maxTokens == 0 ? 0 : null
            : Math.Max(logprobs ?? 0, promptLogprobs ?? 0);

    /// <summary>The prompt's tokens with their log-probabilities.</summary>
    /// <param name="output">The choice's first.</param>
    public IEnumerable<(int TokenId, PositionLogprobs? Logprobs)> Positions(TokenOutput output) =>
        promptTokenIds.Zip(output.PromptLogprobs ?? [], (token, position) => (token, position?.Logprobs));
}
