using System.Runtime.InteropServices;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Engine.Speculation;

/// <summary>Guesses with a smaller model of the same vocabulary, which has a KV cache and blocks of its own. Called by
/// <see cref="Speculator"/>; calls <see cref="IModelRunner"/>, packing by <see cref="BatchPacker"/> as the scheduler does.</summary>
/// <remarks>
/// Each sequence has a twin that the draft model has read: the same tokens, then its own guesses. Before guessing, the twin is cut back to
/// what it still has in common with its sequence, so acceptance, rejection and preemption need no messages; tokens behind the cut are
/// overwritten. Then all twins advance together, a step a token: one that lacks more (a new prompt) catches up within the same steps.
/// <code>
/// sequence   p p p p a b x         the target took a, b and then x instead of c
/// twin       p p p p a b c d       → cut to "p p p p a b", append x, go on from there
/// </code>
/// A guess is made with the same random number that the target will use at that position, by the same rule. The closer the two models'
/// distributions, the likelier they pick the same token, and with equal ones they always do ("Coupling without communication and
/// drafter-invariant speculative decoding", Daliri, Musco, Suresh, 2024).
/// </remarks>
internal sealed class DraftModelProposer : IDraftProposer
{
    private readonly IModelRunner _runner;
    private readonly BlockPool _pool;
    private readonly SequenceBlocks _blocks;
    private readonly Sampler _sampler;
    private readonly Dictionary<Sequence, Twin> _twins = [];
    private readonly List<Guess> _guesses = [];
    private readonly List<ScheduledSequence> _scheduled = [];
    private readonly StepBatch _batch = new();
    private long _calls;

    /// <param name="runner">The draft model; owned.</param>
    /// <param name="vocabSize">The target's vocabulary.</param>
    /// <exception cref="ArgumentException">The vocabularies differ.</exception>
    public DraftModelProposer(IModelRunner runner, int vocabSize)
    {
        if (runner.VocabSize != vocabSize)
        {
            throw new ArgumentException(
                $"the draft model has a vocabulary of {runner.VocabSize} tokens, the model it drafts for one of {vocabSize}; both must "
                + "be the same");
        }

        _runner = runner;
        _pool = new BlockPool(runner.NumBlocks, runner.BlockSize);
        _blocks = new SequenceBlocks(_pool, hasher: null, runner.KvGroups, runner.MaxBatchedTokens);
        _sampler = new Sampler(vocabSize);
    }

    public string Description => $"draft model with {_pool.NumBlocks} KV blocks, sequences up to {_runner.MaxModelLength} tokens";

    /// <summary>Blocks that twins hold.</summary>
    public int NumUsedBlocks => _pool.NumUsed;

    public void Propose(IReadOnlyList<DraftRequest> requests)
    {
        _calls++;
        foreach (var request in requests)
        {
            // The last token guessed is never read by the draft model.
            var most = Math.Min(request.MaxTokens, _runner.MaxModelLength - request.Sequence.Length + 1);
            if (most > 0)
            {
                _guesses.Add(new Guess(request with { MaxTokens = most }, Follow(request.Sequence)));
            }
        }

        while (_guesses.Count > 0)
        {
            Plan();
            if (_scheduled.Count > 0)
            {
                Step();
            }

            _guesses.RemoveAll(static guess => guess.Request.Sequence.NumDraftTokens >= guess.Request.MaxTokens);
        }
    }

    public void Forget(Sequence sequence)
    {
        if (_twins.Remove(sequence, out var twin))
        {
            _blocks.Release(twin.Sequence);
        }
    }

    public void Dispose() => _runner.Dispose();

    /// <summary>Makes the twin's tokens those of its sequence; what the draft model has read of them stays read.</summary>
    private Sequence Follow(Sequence sequence)
    {
        if (!_twins.TryGetValue(sequence, out var twin))
        {
            twin = new Twin(new Sequence(sequence.Tokens));
            _twins.Add(sequence, twin);
        }

        twin.LastCall = _calls;
        var copy = twin.Sequence;
        var common = copy.Tokens.CommonPrefixLength(sequence.Tokens);
        copy.Truncate(common);
        foreach (var token in sequence.Tokens[common..])
        {
            copy.Append(token);
        }

        // The last token is read again if need be: it gives the logits of the first guess.
        copy.NumComputedTokens = Math.Min(copy.NumComputedTokens, Math.Min(common, copy.Length - 1));
        return copy;
    }

    private void Plan()
    {
        _scheduled.Clear();
        var budget = _runner.MaxBatchedTokens;
        for (var i = 0; i < _guesses.Count && budget > 0 && _scheduled.Count < _runner.MaxSequences;)
        {
            var twin = _guesses[i].Twin;
            var numTokens = Math.Min(twin.Length - twin.NumComputedTokens, budget);
            // Of what it has read, only its sequence's tokens are sure to stay.
            _blocks.FreeUnread(twin, Math.Min(twin.NumComputedTokens, _guesses[i].Request.Sequence.Length - 1));
            if (!TryReserve(twin, twin.NumComputedTokens + numTokens))
            {
                // Without what it holds, those before it in line go on.
                Forget(_guesses[i].Request.Sequence);
                _guesses.RemoveAt(i);
                continue;
            }

            twin.NumComputedTokens += numTokens;
            budget -= numTokens;
            _scheduled.Add(new ScheduledSequence(twin, numTokens, -1));
            i++;
        }
    }

    private void Step()
    {
        BatchPacker.Pack(_batch, CollectionsMarshal.AsSpan(_scheduled), _pool.BlockSize, _runner.KvGroups.Count);
        _runner.Launch(_batch);
        var logits = _runner.WaitForLogits();
        for (var i = 0; i < _scheduled.Count; i++)
        {
            if (_scheduled[i].LogitIndex is >= 0 and var row)
            {
                Extend(i, logits.Slice(row * _runner.VocabSize, _runner.VocabSize));
            }
        }
    }

    private void Extend(int index, ReadOnlySpan<float> logits)
    {
        var (request, twin) = _guesses[index];
        var token = _sampler.Guess(logits, request.Sampling, request.Sequence.NumDraftTokens);
        if (token < 0)
        {
            _guesses[index] = new Guess(request with { MaxTokens = 0 }, twin);
            return;
        }

        request.Sequence.AppendDraft(token);
        if (request.Sequence.NumDraftTokens < request.MaxTokens)
        {
            twin.Append(token);
        }
    }

    /// <summary>Gives a twin blocks for so many tokens, taking them from twins that are not drafting now if need be.</summary>
    private bool TryReserve(Sequence twin, int numTokens)
    {
        while (_blocks.CountMissing(twin, numTokens) > _pool.NumFree)
        {
            if (!TryEvict())
            {
                return false;
            }
        }

        _blocks.Grow(twin, numTokens);
        return true;
    }

    private bool TryEvict()
    {
        var oldest = _twins
            .Where(pair => pair.Value.LastCall < _calls && pair.Value.Sequence.BlockTables is [{ Count: > 0 }, ..])
            .OrderBy(pair => pair.Value.LastCall)
            .Select(pair => pair.Key)
            .FirstOrDefault();
        if (oldest is null)
        {
            return false;
        }

        Forget(oldest);
        return true;
    }

    private readonly record struct Guess(DraftRequest Request, Sequence Twin);

    private sealed class Twin(Sequence sequence)
    {
        public Sequence Sequence { get; } = sequence;

        public long LastCall { get; set; }
    }
}
