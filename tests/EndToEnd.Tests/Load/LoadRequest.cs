using Cluster.Worker.Protos.V1;

namespace Cluster.EndToEnd.Tests.Load;

/// <summary>A request that both APIs can express and whose answer is determined: seeded, and with a fixed length.</summary>
internal sealed record LoadRequest
{
    private const int VocabSize = 1024;
    private const int FirstPlainToken = 3;
    private const int SharedTokens = 48;

    public required int[] Prompt { get; init; }

    public required int MaxTokens { get; init; }

    public required float Temperature { get; init; }

    public required float TopP { get; init; }

    public required int TopK { get; init; }

    public required float PresencePenalty { get; init; }

    public required int Seed { get; init; }

    /// <summary>Likeliest tokens to report at each position: what makes an answer long.</summary>
    public required int Logprobs { get; init; }

    /// <summary>A request of random shape. Half of them begin alike, so that they share blocks.</summary>
    public static LoadRequest Draw(Random random, int maxTokens, int logprobs)
    {
        var alike = new Random(0);
        return new LoadRequest
        {
            Prompt = [.. Tokens(alike, random.Next(2) * SharedTokens), .. Tokens(random, random.Next(1, 120))],
            MaxTokens = maxTokens,
            Temperature = random.Next(3) * 0.6f,
            TopP = random.Next(2) == 0 ? 1 : 0.9f,
            TopK = random.Next(2) * 40,
            PresencePenalty = random.Next(3) == 0 ? 0.5f : 0,
            Seed = random.Next(),
            Logprobs = logprobs,
        };
    }

    /// <summary>Body of <c>POST /v1/completions</c>.</summary>
    public object ToHttp() => new
    {
        prompt = Prompt,
        stream = true,
        max_tokens = MaxTokens,
        temperature = Temperature,
        top_p = TopP,
        top_k = TopK,
        presence_penalty = PresencePenalty,
        seed = Seed,
        logprobs = Logprobs,
        ignore_eos = true,
    };

    /// <summary>Message for <c>cluster.v1.TextGeneration/GenerateStream</c>.</summary>
    public GenerateRequest ToGrpc() => new()
    {
        TokenIds = new TokenIds { Ids = { Prompt.Select(token => (uint)token) } },
        Sampling = new SamplingParams
        {
            MaxTokens = (uint)MaxTokens,
            Temperature = Temperature,
            TopP = TopP,
            TopK = (uint)TopK,
            PresencePenalty = PresencePenalty,
            Seed = Seed,
            Logprobs = (uint)Logprobs,
            IgnoreEos = true,
        },
    };

    private static IEnumerable<int> Tokens(Random random, int count) =>
        Enumerable.Range(0, count).Select(_ => random.Next(FirstPlainToken, VocabSize)).ToList();
}
