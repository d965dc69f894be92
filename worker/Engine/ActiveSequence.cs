using Cluster.Worker.Engine.Constraints;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Engine;

/// <summary>One sequence of a request inside the engine: its tokens, how they are sampled and how they become text. Made by
/// <see cref="ActiveRequest"/>; only the engine's thread touches it from then on.</summary>
internal sealed class ActiveSequence
{
    private readonly SamplingParameters _sampling;
    private readonly StopChecker _stopChecker;
    private readonly StopStringMatcher _stopStrings;
    private readonly Detokenizer _detokenizer;
    private readonly List<AcceptedToken> _accepted = [];
    private bool _ended;
    private long _lastOutput;

    /// <param name="index">Its place among the request's sequences.</param>
    /// <param name="sampling">The request's, with this sequence's own seed.</param>
    /// <param name="constraint">Compiled from the request's, if it has one.</param>
    /// <param name="filter">Compiled from the request's lists of tokens, if it has any.</param>
    /// <param name="seed">For a request without a seed of its own.</param>
    public ActiveSequence(
        ActiveRequest request, int index, Sequence sequence, SamplingParameters sampling, CompiledConstraint? constraint,
        TokenFilter? filter, ITokenizer tokenizer, int[] eosTokenIds, int maxModelLength, ulong seed)
    {
        Request = request;
        Index = index;
        Sequence = sequence;
        _sampling = sampling;
        _stopChecker = new StopChecker(sampling, eosTokenIds, Sequence.PromptLength, maxModelLength);
        _stopStrings = new StopStringMatcher(sampling.Stop, sampling.IncludeStopStringInOutput);
        _detokenizer = new Detokenizer(tokenizer, Sequence.Tokens, sampling.SkipSpecialTokens, sampling.KeptSpecialTokens);
        SamplingState = new SamplingState(
            sampling, Sequence.Tokens, seed, _stopChecker.StopTokens, constraint,
            constraint is not null && sampling.ConstraintDelay is { } delay ? new FreeText(delay, tokenizer) : null, filter);
        _lastOutput = request.Arrival;
    }

    private ActiveSequence(ActiveSequence origin)
    {
        Request = origin.Request;
        Index = origin.Index;
        Sequence = origin.Sequence.Fork();
        _sampling = origin._sampling;
        _stopChecker = origin._stopChecker;
        _stopStrings = origin._stopStrings.Fork();
        _detokenizer = origin._detokenizer.Fork();
        SamplingState = origin.SamplingState.Fork();
        _lastOutput = origin._lastOutput;
    }

    public ActiveRequest Request { get; }

    public int Index { get; }

    public Sequence Sequence { get; }

    public SamplingState SamplingState { get; }

    /// <summary>Log-probabilities the sampler shall compute at each position: those to report, or just the sampled token's, to rank
    /// by.</summary>
    public int? NumLogprobs => _sampling.Logprobs ?? (Request.Ranks ? 0 : null);

    /// <summary>Sum over the output's tokens, where <see cref="NumLogprobs"/> asked for them.</summary>
    public double CumulativeLogprob { get; private set; }

    /// <summary>Made by <see cref="Compose"/> and not sent yet.</summary>
    public TokenOutput? Pending { get; private set; }

    /// <summary>Most tokens the sequence can still get.</summary>
    public int NumTokensLeft => _stopChecker.MaxTokens - Sequence.CompletionLength;

    public bool HasEnded => _ended || Request.Failure is not null;

    /// <summary>Another sequence that has the same tokens and outputs so far, all of them delivered.</summary>
    public ActiveSequence Fork() => new(this);

    /// <summary>Appends a sampled token. Its text is made by <see cref="Compose"/>, at any time before the next plan; but where there are
    /// stop texts to find, the text decides whether the sequence has ended, and where there are beams, which of them go on: then it is made
    /// at once.</summary>
    public void Accept(int tokenId, PositionLogprobs? logprobs)
    {
        Sequence.Append(tokenId);
        SamplingState.Accept(tokenId);
        CumulativeLogprob += logprobs?.Sampled.Logprob ?? 0;
        var stop = _stopChecker.Check(tokenId, Sequence.CompletionLength);
        _ended = stop.Reason is not null;
        _accepted.Add(new AcceptedToken(tokenId, logprobs, stop));
        if (!_stopStrings.IsEmpty || Request.Beams is not null)
        {
            Compose();
        }
    }

    /// <summary>Takes tokens that were generated elsewhere as if they had been sampled here. What they add to the output leaves with the
    /// next token; how likely they were is not known any more.</summary>
    /// <exception cref="InvalidRequestException">This request cannot have led to them.</exception>
    public void Resume(IReadOnlyList<int> tokens)
    {
        var output = new JoinedOutput();
        foreach (var token in tokens)
        {
            var position = Sequence.CompletionLength;
            if (_ended)
            {
                throw new InvalidRequestException(
                    $"output {Index} is to go on from {tokens.Count} tokens, but it ends with token {position}");
            }

            try
            {
                Accept(token, NumLogprobs is null ? null : new PositionLogprobs(new TokenLogprob(token, 0), []));
                Compose();
            }
            catch (GenerationFailedException failure)
            {
                throw new InvalidRequestException(
                    $"output {Index} cannot go on from token {token} at position {position}: {failure.Message}");
            }

            output.Add(Pending!);
            Pending = null;
        }

        Sequence.NumGivenTokens = tokens.Count;
        Pending = tokens.Count > 0 ? output.Whole() : null;
    }

    /// <summary>Makes the output of the tokens accepted since the last call, together with what is pending of the same step.</summary>
    public void Compose()
    {
        if (_accepted.Count == 0)
        {
            return;
        }

        var text = Pending?.Text ?? "";
        List<int>? lengths = Request.TellsTextLengths ? [.. Pending?.TextLengths ?? []] : null;
        var stop = default(StopDecision);
        for (var i = 0; i < _accepted.Count; i++)
        {
            stop = _accepted[i].Stop;
            var brought = Text(_accepted[i].TokenId, Sequence.CompletionLength - _accepted.Count + i + 1, ref stop);
            text += brought;
            lengths?.Add(brought.Length);
        }

        _ended = stop.Reason is not null;
        Pending = Output([.. Pending?.TokenIds ?? [], .. _accepted.Select(token => token.TokenId)], text, stop) with
        {
            Logprobs = _sampling.Logprobs is null ? null : [.. Pending?.Logprobs ?? [], .. _accepted.Select(token => token.Logprobs!)],
            TextLengths = lengths,
        };
        _accepted.Clear();
    }

    /// <summary>Makes the last output of a sequence that was aborted, with the text held back so far. Nothing may be waiting to be
    /// composed; what is pending are tokens that it came with.</summary>
    public void Abort()
    {
        _ended = true;
        var end = Output([], _stopStrings.Flush() + _detokenizer.Flush(), new StopDecision(FinishReason.Abort));
        if (Pending is not null)
        {
            var output = new JoinedOutput();
            output.Add(Pending);
            output.Add(end);
            end = output.Whole();
        }

        Pending = end;
    }

    /// <summary>Ends a sequence that shall get no token.</summary>
    public void End()
    {
        _ended = true;
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
        if (Pending!.TokenIds.Count > 0 && !Sequence.IsFresh)
        {
            if (Pending.CompletionTokens == Pending.TokenIds.Count)
            {
                observer.FirstToken(time.GetElapsedTime(Request.Arrival, now));
            }
            else
            {
                observer.InterToken(time.GetElapsedTime(_lastOutput, now));
            }
        }

        _lastOutput = now;
    }

    /// <param name="completionLength">Output tokens up to this one.</param>
    /// <param name="stop">Changed when a stop text is found.</param>
    private string Text(int tokenId, int completionLength, ref StopDecision stop)
    {
        var text = "";
        if (stop.Reason != FinishReason.Stop || _sampling.IncludeStopStringInOutput)
        {
            text = _detokenizer.Append(tokenId);
        }

        if (stop.Reason is not null)
        {
            text += _detokenizer.Flush();
        }

        // Text of the minimum length passes unlooked at, as in vLLM.
        if (completionLength > _sampling.MinTokens)
        {
            text = _stopStrings.Append(text);
            if (_stopStrings.Match is { } match)
            {
                stop = new StopDecision(FinishReason.Stop, match);
            }
        }

        return stop.Reason is null ? text : text + _stopStrings.Flush();
    }

    private TokenOutput Output(IReadOnlyList<int> tokenIds, string text, StopDecision stop) => new()
    {
        Index = Index,
        TokenIds = tokenIds,
        Text = text,
        PromptLogprobs = Sequence.CompletionLength == tokenIds.Count ? Request.PromptLogprobs : null,
        FinishReason = stop.Reason,
        StopReason = stop.StopReason,
        StopTokenId = stop.StopTokenId,
        PromptTokens = Sequence.PromptLength,
        CompletionTokens = Sequence.CompletionLength,
        CachedTokens = Request.CachedTokens ?? Sequence.NumCachedTokens ?? 0,
    };

    /// <param name="Stop">By the token alone.</param>
    private readonly record struct AcceptedToken(int TokenId, PositionLogprobs? Logprobs, StopDecision Stop);
}
