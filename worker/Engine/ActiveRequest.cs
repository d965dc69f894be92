using System.Threading.Channels;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Engine;

/// <summary>A request inside the engine: its sequence, how its tokens become text, and the channel its outputs leave through. Made by
/// <see cref="LlmEngine"/> on the caller's thread; from then on only the engine's thread touches it, except for <see cref="Outputs"/>.</summary>
internal sealed class ActiveRequest
{
    private readonly SamplingParameters sampling;
    private readonly StopChecker stopChecker;
    private readonly StopStringMatcher stopStrings;
    private readonly Detokenizer detokenizer;
    private readonly Channel<TokenOutput> channel;
    private readonly long arrival;
    private long lastOutput;

    /// <param name="request">Validated.</param>
    /// <param name="seed">For a request without a seed of its own.</param>
    /// <param name="arrival">Timestamp of the engine's clock.</param>
    public ActiveRequest(GenerationRequest request, ITokenizer tokenizer, int[] eosTokenIds, int maxModelLength, ulong seed, long arrival)
    {
        Id = request.RequestId;
        sampling = request.Sampling;
        Sequence = new Sequence([.. request.PromptTokenIds]);
        stopChecker = new StopChecker(sampling, eosTokenIds, Sequence.PromptLength, maxModelLength);
        stopStrings = new StopStringMatcher(sampling.Stop, sampling.IncludeStopStringInOutput);
        detokenizer = new Detokenizer(tokenizer, Sequence.Tokens, sampling.SkipSpecialTokens);
        SamplingState = new SamplingState(sampling, Sequence.Tokens, seed, stopChecker.StopTokens);
        this.arrival = lastOutput = arrival;

        // Bounded in effect: an output a token, max_tokens of them. A slow reader must never stall the engine's thread.
        channel = Channel.CreateUnbounded<TokenOutput>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
    }

    public string Id { get; }

    public Sequence Sequence { get; }

    public SamplingState SamplingState { get; }

    public int? NumLogprobs => sampling.Logprobs;

    public ChannelReader<TokenOutput> Outputs => channel.Reader;

    /// <summary>Made but not sent yet: outputs leave when the step's blocks are freed and its numbers published.</summary>
    public TokenOutput? Pending { get; private set; }

    public GenerationFailedException? Failure { get; private set; }

    /// <summary>Most tokens the request can still get.</summary>
    public int NumTokensLeft => stopChecker.MaxTokens - Sequence.CompletionLength;

    public bool HasEnded => Failure is not null || Pending?.FinishReason is not null;

    /// <summary>Appends a sampled token and makes the output it leads to, together with those pending from the same step.</summary>
    public void Accept(int tokenId, PositionLogprobs? logprobs)
    {
        Sequence.Append(tokenId);
        SamplingState.Accept(tokenId);
        var stop = stopChecker.Check(tokenId, Sequence.CompletionLength);
        var text = "";
        if (stop.Reason != FinishReason.Stop || sampling.IncludeStopStringInOutput)
        {
            text = detokenizer.Append(tokenId);
        }

        if (stop.Reason is not null)
        {
            text += detokenizer.Flush();
        }

        // Text of the minimum length passes unlooked at, as in vLLM.
        if (Sequence.CompletionLength > sampling.MinTokens)
        {
            text = stopStrings.Append(text);
            if (stopStrings.Match is { } match)
            {
                stop = new StopDecision(FinishReason.Stop, match);
            }
        }

        if (stop.Reason is not null)
        {
            text += stopStrings.Flush();
        }

        Pending = Output([.. Pending?.TokenIds ?? [], tokenId], Pending?.Text + text, stop) with
        {
            Logprobs = logprobs is null ? null : [.. Pending?.Logprobs ?? [], logprobs],
        };
    }

    /// <summary>Makes the last output of a request that was aborted, with the text held back so far.</summary>
    public void Abort() =>
        Pending = Output([], stopStrings.Flush() + detokenizer.Flush(), new StopDecision(FinishReason.Abort));

    public void Fail(GenerationFailedException failure) => Failure = failure;

    /// <summary>Tells the observer of what is about to be delivered.</summary>
    public void Report(IEngineObserver observer, TimeProvider time)
    {
        var now = time.GetTimestamp();
        if (Failure is null && Pending!.TokenIds.Count > 0)
        {
            if (Pending.CompletionTokens == Pending.TokenIds.Count)
            {
                observer.FirstToken(time.GetElapsedTime(arrival, now));
            }
            else
            {
                observer.InterToken(time.GetElapsedTime(lastOutput, now));
            }
        }

        lastOutput = now;
        if (HasEnded)
        {
            var reason = Failure is null ? Pending!.FinishReason!.Value : FinishReason.Abort;
            observer.Finished(reason, time.GetElapsedTime(arrival, now), Sequence.PromptLength, Sequence.CompletionLength);
        }
    }

    /// <summary>Sends what is pending; completes the channel at the end of the request.</summary>
    public void Deliver()
    {
        if (Pending is not null)
        {
            channel.Writer.TryWrite(Pending);
        }

        if (HasEnded)
        {
            channel.Writer.TryComplete(Failure);
        }
        else
        {
            Pending = null;
        }
    }

    /// <summary>Ends the request because the engine died.</summary>
    public void Kill(EngineUnavailableException death) => channel.Writer.TryComplete(death);

    private TokenOutput Output(IReadOnlyList<int> tokenIds, string text, StopDecision stop) => new()
    {
        TokenIds = tokenIds,
        Text = text,
        FinishReason = stop.Reason,
        StopReason = stop.StopReason,
        PromptTokens = Sequence.PromptLength,
        CompletionTokens = Sequence.CompletionLength,
        CachedTokens = Sequence.NumCachedTokens ?? 0,
    };
}
