using Cluster.Worker.Engine.Constraints;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Engine;

/// <summary>One sequence of a request inside the engine: its tokens, how they are sampled and how they become text. Made by <see cref="ActiveRequest"/>;
/// only the engine's thread touches it from then on.</summary>
internal sealed class ActiveSequence
{
    private readonly SamplingParameters sampling;
    private readonly StopChecker stopChecker;
    private readonly StopStringMatcher stopStrings;
    private readonly Detokenizer detokenizer;
    private readonly List<AcceptedToken> accepted = [];
    private bool ended;
    private long lastOutput;

    /// <param name="index">Its place among the request's sequences.</param>
    /// <param name="sampling">The request's, with this sequence's own seed.</param>
    /// <param name="constraint">Compiled from the request's, if it has one.</param>
    /// <param name="seed">For a request without a seed of its own.</param>
    public ActiveSequence(
        ActiveRequest request, int index, Sequence sequence, SamplingParameters sampling, CompiledConstraint? constraint, ITokenizer tokenizer, int[] eosTokenIds, int maxModelLength, ulong seed)
    {
        Request = request;
        Index = index;
        Sequence = sequence;
        this.sampling = sampling;
        stopChecker = new StopChecker(sampling, eosTokenIds, Sequence.PromptLength, maxModelLength);
        stopStrings = new StopStringMatcher(sampling.Stop, sampling.IncludeStopStringInOutput);
        detokenizer = new Detokenizer(tokenizer, Sequence.Tokens, sampling.SkipSpecialTokens);
        SamplingState = new SamplingState(sampling, Sequence.Tokens, seed, stopChecker.StopTokens, constraint);
        lastOutput = request.Arrival;
    }

    private ActiveSequence(ActiveSequence origin)
    {
        Request = origin.Request;
        Index = origin.Index;
        Sequence = origin.Sequence.Fork();
        sampling = origin.sampling;
        stopChecker = origin.stopChecker;
        stopStrings = origin.stopStrings.Fork();
        detokenizer = origin.detokenizer.Fork();
        SamplingState = origin.SamplingState.Fork();
        lastOutput = origin.lastOutput;
    }

    public ActiveRequest Request { get; }

    public int Index { get; }

    public Sequence Sequence { get; }

    public SamplingState SamplingState { get; }

    /// <summary>Log-probabilities the sampler shall compute at each position: those to report, or just the sampled token's, to rank by.</summary>
    public int? NumLogprobs => sampling.Logprobs ?? (Request.Ranks ? 0 : null);

    /// <summary>Sum over the output's tokens, where <see cref="NumLogprobs"/> asked for them.</summary>
    public double CumulativeLogprob { get; private set; }

    /// <summary>Made by <see cref="Compose"/> and not sent yet.</summary>
    public TokenOutput? Pending { get; private set; }

    /// <summary>Most tokens the sequence can still get.</summary>
    public int NumTokensLeft => stopChecker.MaxTokens - Sequence.CompletionLength;

    public bool HasEnded => ended || Request.Failure is not null;

    /// <summary>Another sequence that has the same tokens and outputs so far, all of them delivered.</summary>
    public ActiveSequence Fork() => new(this);

    /// <summary>Appends a sampled token. Its text is made by <see cref="Compose"/>, at any time before the next plan; but where there are stop texts to
    /// find, the text decides whether the sequence has ended, and where there are beams, which of them go on: then it is made at once.</summary>
    public void Accept(int tokenId, PositionLogprobs? logprobs)
    {
        Sequence.Append(tokenId);
        SamplingState.Accept(tokenId);
        CumulativeLogprob += logprobs?.Sampled.Logprob ?? 0;
        var stop = stopChecker.Check(tokenId, Sequence.CompletionLength);
        ended = stop.Reason is not null;
        accepted.Add(new AcceptedToken(tokenId, logprobs, stop));
        if (!stopStrings.IsEmpty || Request.Beams is not null)
        {
            Compose();
        }
    }

    /// <summary>Makes the output of the tokens accepted since the last call, together with what is pending of the same step.</summary>
    public void Compose()
    {
        if (accepted.Count == 0)
        {
            return;
        }

        var text = Pending?.Text ?? "";
        var stop = default(StopDecision);
        for (var i = 0; i < accepted.Count; i++)
        {
            stop = accepted[i].Stop;
            text += Text(accepted[i].TokenId, Sequence.CompletionLength - accepted.Count + i + 1, ref stop);
        }

        ended = stop.Reason is not null;
        Pending = Output([.. Pending?.TokenIds ?? [], .. accepted.Select(token => token.TokenId)], text, stop) with
        {
            Logprobs = sampling.Logprobs is null ? null : [.. Pending?.Logprobs ?? [], .. accepted.Select(token => token.Logprobs!)],
        };
        accepted.Clear();
    }

    /// <summary>Makes the last output of a sequence that was aborted, with the text held back so far. Nothing may be waiting to be composed.</summary>
    public void Abort()
    {
        ended = true;
        Pending = Output([], stopStrings.Flush() + detokenizer.Flush(), new StopDecision(FinishReason.Abort));
    }

    /// <summary>Ends a sequence that shall get no token.</summary>
    public void End()
    {
        ended = true;
        Pending = Output([], "", new StopDecision(FinishReason.Length));
    }

    /// <summary>Has all of an ended sequence leave in one output.</summary>
    public void Conclude(TokenOutput whole) => Pending = whole;

    /// <summary>The output pending has left; the next token begins a new one.</summary>
    public void Delivered() => Pending = null;

    /// <summary>Tells how long what is about to be delivered has taken.</summary>
    public void Report(IEngineObserver observer, TimeProvider time)
    {
        var now = time.GetTimestamp();
        if (Pending!.TokenIds.Count > 0)
        {
            if (Pending.CompletionTokens == Pending.TokenIds.Count)
            {
                observer.FirstToken(time.GetElapsedTime(Request.Arrival, now));
            }
            else
            {
                observer.InterToken(time.GetElapsedTime(lastOutput, now));
            }
        }

        lastOutput = now;
    }

    /// <param name="completionLength">Output tokens up to this one.</param>
    /// <param name="stop">Changed when a stop text is found.</param>
    private string Text(int tokenId, int completionLength, ref StopDecision stop)
    {
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
        if (completionLength > sampling.MinTokens)
        {
            text = stopStrings.Append(text);
            if (stopStrings.Match is { } match)
            {
                stop = new StopDecision(FinishReason.Stop, match);
            }
        }

        return stop.Reason is null ? text : text + stopStrings.Flush();
    }

    private TokenOutput Output(IReadOnlyList<int> tokenIds, string text, StopDecision stop) => new()
    {
        Index = Index,
        TokenIds = tokenIds,
        Text = text,
        PromptLogprobs = Sequence.CompletionLength == tokenIds.Count ? Request.PromptLogprobs : null,
        FinishReason = stop.Reason,
        StopReason = stop.StopReason,
        PromptTokens = Sequence.PromptLength,
        CompletionTokens = Sequence.CompletionLength,
        CachedTokens = Sequence.NumCachedTokens ?? 0,
    };

    /// <param name="Stop">By the token alone.</param>
    private readonly record struct AcceptedToken(int TokenId, PositionLogprobs? Logprobs, StopDecision Stop);
}
