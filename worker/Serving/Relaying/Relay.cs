using Cluster.Worker.Engine;

namespace Cluster.Worker.Serving.Relaying;

/// <summary>Makes the engine's request of one that the gateway sent: whoever computes it computes the same, from where it was. Called where
/// requests are planned, for HTTP and gRPC.</summary>
internal static class Relay
{
    /// <param name="prompt">Which of the response's prompts it is for; each has all its choices, one after the other.</param>
    /// <param name="stream">Whether its outputs become events. Others are sent whole, and computed anew.</param>
    /// <param name="leadingEvents">Events of a choice before its first token's.</param>
    public static GenerationRequest Of(GenerationRequest request, Envelope envelope, int prompt, bool stream, int leadingEvents)
    {
        var sampling = request.Sampling;
        var first = prompt * sampling.N;
        return request with
        {
            Sampling = sampling with { Seed = sampling.Seed ?? SeedOf(envelope, prompt) },
            TellsTextLengths = stream,
            CachedTokens = envelope.CachedTokensOf(first),
            Resumption = stream && CanResume(sampling)
                ? new Resumption(
                    [.. Enumerable.Range(first, sampling.N).Select(choice => Given(sampling, envelope.Delivered(choice), leadingEvents))])
                : null,
        };
    }

    /// <summary>Prompts that are alike shall not be answered alike.</summary>
    private static long SeedOf(Envelope envelope, int prompt) =>
        prompt == 0 ? envelope.Seed : (long)CounterRandom.Bits((ulong)envelope.Seed, (ulong)prompt);

    /// <summary>Outputs that are chosen at the end cannot go on from tokens, and only one sequence computes what is told of a
    /// prompt.</summary>
    private static bool CanResume(SamplingParameters sampling) =>
        sampling.Beams is null && sampling.NumSequences == sampling.N && (sampling.PromptLogprobs is null || sampling.N == 1);

    /// <summary>How likely given tokens were is not known any more. So where it is told, only those whose events were delivered are taken
    /// as given, and the others are generated anew; where the first event tells it of the prompt, none before that was.</summary>
    private static IReadOnlyList<int> Given(SamplingParameters sampling, DeliveredChoice delivered, int leadingEvents)
    {
        var told = Math.Max(0, delivered.Events - leadingEvents);
        return sampling.Logprobs is not null ? [.. delivered.Tokens.Take(told)]
            : sampling.PromptLogprobs is not null && told == 0 ? []
            : delivered.Tokens;
    }
}
