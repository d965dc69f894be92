using Cluster.Worker.Engine.Speculation;

namespace Cluster.Worker.Engine;

/// <summary>What the serving layer sees of the engine. Implemented by <c>LlmEngine</c>; serving's tests have a fake.</summary>
internal interface IEngine
{
    /// <summary>Queues a request at once and yields its outputs as they are produced. Cancelling the token, or leaving the enumeration,
    /// frees the request's blocks in the next step.</summary>
    /// <exception cref="InvalidRequestException">Parameters or prompt are unusable; thrown before anything is queued.</exception>
    /// <exception cref="QueueFullException">As many requests are running or waiting as the engine takes.</exception>
    /// <exception cref="EngineUnavailableException">The engine drains or died.</exception>
    IAsyncEnumerable<TokenOutput> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken);

    /// <summary>Ends a request with <see cref="FinishReason.Abort"/>. False when no such request is running.</summary>
    bool Abort(string requestId);

    /// <summary>Longest sequence, prompt and output together.</summary>
    int MaxModelLength { get; }

    /// <summary>Longest prompt: one token less, or what the engine was told.</summary>
    int MaxPromptLength => MaxModelLength - 1;

    int VocabSize { get; }

    /// <summary>Numbers for metrics and server info, taken at once.</summary>
    EngineStatistics Statistics { get; }

    /// <summary>Time since the last sign of life while there is work; zero while there is none. Never waits.</summary>
    TimeSpan Silence { get; }

    /// <summary>Refuses new requests and completes when the running ones have ended or, after <paramref name="timeout"/>, were
    /// aborted.</summary>
    Task DrainAsync(TimeSpan timeout);
}

/// <param name="Running">Sequences in the current batch.</param>
/// <param name="Waiting">Requests not started yet, or preempted.</param>
/// <param name="KvCacheUsage">Fraction of KV blocks in use, 0 to 1.</param>
/// <param name="PrefixCacheQueries">Prompt tokens looked up in the prefix cache so far.</param>
/// <param name="PrefixCacheHits">Prompt tokens found there.</param>
/// <param name="Preemptions">Sequences preempted so far.</param>
/// <param name="PromptTokens">Prompt tokens processed so far.</param>
/// <param name="GenerationTokens">Tokens generated so far.</param>
/// <param name="NumBlocks">KV blocks in the pool.</param>
/// <param name="BlockSize">Token slots of a block.</param>
internal sealed record EngineStatistics(
    int Running,
    int Waiting,
    double KvCacheUsage,
    long PrefixCacheQueries,
    long PrefixCacheHits,
    long Preemptions,
    long PromptTokens,
    long GenerationTokens,
    int NumBlocks,
    int BlockSize)
{
    /// <summary>How speculative decoding does; null when the engine does none.</summary>
    public SpeculationStatistics? Speculation { get; init; }

    /// <summary>How the model answered when it was asked for what is known; null when it is not asked.</summary>
    public KnownAnswerStatistics? KnownAnswers { get; init; }
}
