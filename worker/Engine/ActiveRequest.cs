using System.Diagnostics;
using System.Runtime.InteropServices;
using Cluster.Worker.Engine.Beams;
using Cluster.Worker.Engine.Constraints;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Engine;

/// <summary>A request inside the engine: its sequences and the queue their outputs leave through. Made by <see cref="LlmEngine"/> on the
/// caller's thread; from then on only the engine's thread touches it, except for <see cref="Outputs"/>.</summary>
/// <remarks>Only the first sequence computes the prompt. When it reaches the prompt's last token, <see cref="Fork"/> makes the others, and
/// all of them sample their first token from the same logits. Those of a request that goes on from elsewhere differ from the beginning:
/// each is computed by itself, and the prefix cache has what they share. With <see cref="Beams"/>, the search makes and ends sequences, and
/// all outputs leave at its end.</remarks>
internal sealed class ActiveRequest
{
    private readonly SamplingParameters _sampling;
    private readonly CompiledConstraint? _constraint;
    private readonly TokenFilter? _filter;
    private readonly ITokenizer _tokenizer;
    private readonly int[] _eosTokenIds;
    private readonly int _maxModelLength;
    private readonly ulong _seed;
    private readonly List<ActiveSequence> _sequences = [];
    private readonly BestOutputs? _best;
    private readonly List<PromptPosition?> _promptLogprobs = [null];
    private readonly Dictionary<ActiveSequence, EndedSequence> _ended = [];
    private readonly List<EndedSequence> _returned = [];
    private readonly GenerationRequest _request;
    private readonly TimeProvider _time;
    private readonly DateTimeOffset _arrivalTime;
    private readonly ActivityContext _caller = Activity.Current?.Context ?? default;
    private int _delivered;
    private bool _closed;

    /// <param name="request">Validated.</param>
    /// <param name="constraint">Compiled from the request's, if it has one.</param>
    /// <param name="filter">Compiled from the request's lists of tokens, if it has any.</param>
    /// <param name="seed">For a request without a seed of its own.</param>
    /// <param name="time">The engine's clock; the request arrives now.</param>
    public ActiveRequest(
        GenerationRequest request, CompiledConstraint? constraint, TokenFilter? filter, ITokenizer tokenizer, int[] eosTokenIds,
        int maxModelLength, ulong seed, TimeProvider time)
    {
        Id = request.RequestId;
        Arrival = time.GetTimestamp();
        _arrivalTime = time.GetUtcNow();
        _request = request;
        _time = time;
        _sampling = request.Sampling;
        _constraint = constraint;
        _filter = filter;
        _tokenizer = tokenizer;
        _eosTokenIds = eosTokenIds;
        _maxModelLength = maxModelLength;
        _seed = seed;
        NumUnfinished = _sampling.NumSequences;
        _best = _sampling.NumSequences > _sampling.N && _sampling.Beams is null ? new BestOutputs(_sampling.N) : null;
        var prompt = new Sequence([.. request.PromptTokenIds], request.Priority, request.CacheSalt)
        {
            MayFork = _sampling.NumSequences > 1 || _sampling.Beams is not null,
        };
        prompt.NumScoredTokens = _sampling.PromptLogprobs is null ? prompt.NumScoredTokens : 0;
        _sequences.Add(Make(0, prompt));
        if (request.Resumption is { IsEmpty: false } given)
        {
            Resume(given);
        }

        Beams = _sampling.Beams is { } parameters ? new BeamSearch(_sequences[0], _sampling, parameters) : null;
    }

    public string Id { get; }

    /// <summary>Whether outputs say how much of their text each token brought.</summary>
    public bool TellsTextLengths => _request.TellsTextLengths;

    /// <summary>What outputs say of the prefix cache, where it is not what was found here.</summary>
    public int? CachedTokens => _request.CachedTokens;

    public long Arrival { get; }

    /// <summary>Null until the scheduler takes the first sequence.</summary>
    public TimeSpan? QueueTime { get; private set; }

    /// <summary>Null until one of the sequences has a token.</summary>
    public TimeSpan? FirstTokenTime { get; private set; }

    /// <summary>Decides what the sequences are, when likely outputs are searched for; null when they are sampled.</summary>
    public BeamSearch? Beams { get; }

    /// <summary>Those made so far: the first, and after <see cref="Fork"/> all; of beams, those that go on.</summary>
    public IReadOnlyList<ActiveSequence> Sequences => Beams?.Sequences ?? _sequences;

    /// <summary>How likely the prompt is; null when not asked for, or not known as a whole.</summary>
    public IReadOnlyList<PromptPosition?>? PromptLogprobs =>
        _sampling.PromptLogprobs is not null && _promptLogprobs.Count == _sequences[0].Sequence.PromptLength ? _promptLogprobs : null;

    /// <summary>How many of the likeliest tokens to report in place of each of the prompt's.</summary>
    public int NumPromptLogprobs => _sampling.PromptLogprobs ?? 0;

    /// <summary>Sequences that hold a place in the engine, those not made yet included.</summary>
    public int NumUnfinished { get; private set; }

    public bool NeedsFork => Beams is null && _sequences.Count < _sampling.NumSequences;

    /// <summary>Whether what a sequence is next is decided by its next logits, not by a token alone.</summary>
    public bool IsAboutToFork => NeedsFork || Beams is not null;

    /// <summary>Whether all sequences have ended, whatever each of them says.</summary>
    public bool HasEnded => Failure is not null || Beams?.Outputs is not null;

    /// <summary>Whether outputs are chosen by how likely they are.</summary>
    public bool Ranks => _best is not null;

    /// <summary>What went wrong in one sequence ends all of them.</summary>
    public GenerationFailedException? Failure { get; private set; }

    public OutputQueue Outputs { get; } = new();

    /// <summary>Makes the sequences beside the first, which has computed its prompt and sampled nothing yet.</summary>
    public ReadOnlySpan<ActiveSequence> Fork()
    {
        _sequences[0].Sequence.MayFork = false;
        for (var index = 1; index < _sampling.NumSequences; index++)
        {
            _sequences.Add(Make(index, _sequences[0].Sequence.Fork()));
        }

        return CollectionsMarshal.AsSpan(_sequences)[1..];
    }

    /// <summary>The scheduler has taken the first sequence, perhaps not for the first time.</summary>
    public void Start() => QueueTime ??= _time.GetElapsedTime(Arrival);

    /// <summary>One of the sequences gets a token, perhaps not the first.</summary>
    public void Continue() => FirstTokenTime ??= _time.GetElapsedTime(Arrival);

    /// <param name="position">How likely the next prompt token is, from the second on.</param>
    public void AddPromptLogprobs(PromptPosition position) => _promptLogprobs.Add(position);

    public void Fail(GenerationFailedException failure) => Failure ??= failure;

    /// <summary>Counts a sequence that has left the engine. The end of the only one made is the end of those that never were; beams end
    /// together.</summary>
    public void Retire() => NumUnfinished -= IsAboutToFork ? NumUnfinished : 1;

    /// <summary>Sends what is pending of one of the sequences; ends the outputs when the last has ended.</summary>
    public void Deliver(ActiveSequence sequence, IEngineObserver? observer)
    {
        if (_closed)
        {
            return;
        }

        if (Failure is not null)
        {
            Close(observer, Failure);
            return;
        }

        if (observer is not null)
        {
            sequence.Report(observer, _time);
        }

        var output = sequence.Pending!;
        var leavesNow = _best is null || NeedsFork;
        if (!leavesNow)
        {
            _best!.Add(output, sequence.CumulativeLogprob);
        }

        if (output.FinishReason is null)
        {
            if (leavesNow)
            {
                Outputs.Add(output);
            }

            sequence.Delivered();
            return;
        }

        _ended.Add(sequence, End(output.FinishReason, sequence.Sequence.CompletionLength));
        List<TokenOutput> leaving = leavesNow ? [output] : [];

        // A request that ends before its sequences were made ends all of them alike.
        for (var index = 1; NeedsFork && index < _sampling.N; index++)
        {
            leaving.Add(output with { Index = index });
        }

        var isLast = ++_delivered == (Beams?.Outputs!.Count ?? _sequences.Count);
        if (isLast)
        {
            leaving.AddRange(_best?.Take() ?? []);
        }

        _returned.AddRange(leaving.Select(last => End(last.FinishReason, last.CompletionTokens)));
        if (isLast)
        {
            Tell(observer, output.CachedTokens, failure: null);
        }

        leaving.ForEach(Outputs.Add);
        if (isLast)
        {
            Outputs.End();
        }
    }

    private void Resume(Resumption given)
    {
        _sequences[0].Sequence.MayFork = false;
        for (var index = 1; index < _sampling.NumSequences; index++)
        {
            _sequences.Add(Make(index, new Sequence([.. _request.PromptTokenIds], _request.Priority, _request.CacheSalt)));
        }

        foreach (var sequence in _sequences)
        {
            sequence.Resume(given.Of(sequence.Index));
        }
    }

    /// <summary>Ends the request because it, or the engine, has failed.</summary>
    public void Close(IEngineObserver? observer, Exception failure)
    {
        if (_closed)
        {
            return;
        }

        foreach (var sequence in Sequences.Where(sequence => !_ended.ContainsKey(sequence)))
        {
            var end = End(null, sequence.Sequence.CompletionLength);
            _ended.Add(sequence, end);
            _returned.Add(end);
        }

        Tell(observer, _sequences[0].Sequence.NumCachedTokens ?? 0, failure);
        Outputs.End(failure);
    }

    private EndedSequence End(FinishReason? reason, int completionTokens) => new(reason, completionTokens, _time.GetElapsedTime(Arrival));

    /// <summary>Once, and before the last output can be read: who has read it finds the request counted.</summary>
    private void Tell(IEngineObserver? observer, int cachedTokens, Exception? failure)
    {
        _closed = true;
        observer?.Ended(new EndedRequest(
            _request, _caller, _arrivalTime, QueueTime, FirstTokenTime, _time.GetElapsedTime(Arrival), cachedTokens, [.. _ended.Values],
            _returned, failure));
    }

    private ActiveSequence Make(int index, Sequence sequence)
    {
        var own = index == 0 || _sampling.Seed is not { } given ? _sampling : _sampling with { Seed = unchecked(given + index) };
        var drawn = index == 0 ? _seed : CounterRandom.Bits(_seed, (ulong)index);
        return new ActiveSequence(this, index, sequence, own, _constraint, _filter, _tokenizer, _eosTokenIds, _maxModelLength, drawn);
    }
}
