using System.Runtime.InteropServices;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Engine;

/// <summary>A sequence's part in the planned step.</summary>
/// <param name="Sequence">Its <see cref="Sequence.NumComputedTokens"/> already counts this step.</param>
/// <param name="NumTokens">Rows it has in the batch.</param>
/// <param name="LogitIndex">Which row of the step's logits is its own, followed by one for each token of its draft; -1 when it does not yet
/// reach its last token.</param>
internal readonly record struct ScheduledSequence(Sequence Sequence, int NumTokens, int LogitIndex)
{
    /// <summary>Position of the first prompt token of this step whose logits are wanted for their own sake.</summary>
    public int FirstScored { get; init; }

    /// <summary>How many such tokens there are, one after the other.</summary>
    public int NumScored { get; init; }

    /// <summary>Where their rows begin among the step's logits.</summary>
    public int ScoreIndex { get; init; }
}

/// <summary>Decides what each step computes. Called by <see cref="LlmEngine"/> on its thread; calls
/// <see cref="SequenceBlocks"/>. No clock, no I/O.</summary>
/// <remarks>
/// One budget of tokens a step and no phases (vLLM v1): a sequence's computed tokens catch up with its known tokens, whether those are a
/// prompt, a chunk of one, what a preemption threw away, or the token sampled last. <see cref="Plan"/>, in order:
/// <list type="number">
/// <item>running sequences, oldest first, get as many rows as they lack and the budget allows; when one needs a block and none is free,
/// the youngest running sequence is preempted: it gives up its blocks and waits, first in line, to be computed again;</item>
/// <item>waiting sequences, first come first served, take their cached prefix and enter if all their known tokens find room, so that
/// a prefill under way never has to preempt;</item>
/// <item>drafts get rows, logits and free blocks that are left then;</item>
/// <item>the rows are packed, single-row sequences first.</item>
/// </list>
/// <see cref="TryPlanAhead"/> does the first part while the step before still runs: it counts on one more token for every sequence that
/// step gives one, and what ends meanwhile drops out of the plan. With several steps a plan, the sequences of a plan that only decode keep
/// its places for that many steps, in blocks set aside for them at its start.
/// <para>Victims are always younger than every sequence already scheduled, so a planned row is never taken back. That is why blocks can be
/// offered to the prefix cache while planning: later sequences of the same step may read what earlier ones write in it.</para>
/// <para>Forked sequences hold the same blocks. Full ones are never written again; whoever first writes to the partial one at their end
/// gets a copy of it, made by the step before anything is written, and the last of them keeps the original.</para>
/// <para>Beams of a request advance together: one that is ahead (<see cref="Sequence.AwaitsOthers"/>) keeps its blocks as long as others
/// can run without them; preempted, it is parked rather than queued, for there is nothing to compute.</para>
/// <para>Logits are a budget like tokens: each sequence that may run keeps one for its next token, and prompts whose own logits are wanted
/// are split to fit what is left.</para>
/// </remarks>
internal sealed partial class Scheduler
{
    private readonly SequenceBlocks _blocks;
    private readonly bool _cachesPrefixes;
    private readonly int _maxNumSeqs;
    private readonly int _maxNumBatchedTokens;
    private readonly bool _enableChunkedPrefill;
    private readonly int _maxLogits;
    private readonly int _stepsPerPlan;
    private readonly SchedulingPolicy _policy;
    private readonly LinkedList<Sequence> _waiting = [];
    private readonly List<Sequence> _running = [];
    private readonly List<ScheduledSequence> _scheduled = [];
    private readonly StepBatch _batch = new();

    /// <param name="hasher">Null turns prefix caching off.</param>
    /// <param name="maxNumSeqs">Most sequences running at once; not above <paramref name="maxNumBatchedTokens"/>, so that each can decode
    /// in every step.</param>
    /// <param name="maxLogits">Most rows of logits in a step; not below <paramref name="maxNumSeqs"/>.</param>
    /// <param name="stepsPerPlan">Decode steps a plan covers; more than one only without drafts.</param>
    /// <param name="groups">Groups of layers with block tables of their own; null for one that reads everything.</param>
    public Scheduler(
        BlockPool pool, BlockHasher? hasher, int maxNumSeqs, int maxNumBatchedTokens, bool enableChunkedPrefill,
        int maxLogits = int.MaxValue, int stepsPerPlan = 1, SchedulingPolicy policy = SchedulingPolicy.Fcfs,
        KvGroups? groups = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxNumSeqs);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxNumBatchedTokens, maxNumSeqs);
        _blocks = new SequenceBlocks(pool, hasher, groups ?? KvGroups.One, maxNumBatchedTokens);
        _cachesPrefixes = hasher is not null;
        _maxNumSeqs = maxNumSeqs;
        _maxNumBatchedTokens = maxNumBatchedTokens;
        _enableChunkedPrefill = enableChunkedPrefill;
        _maxLogits = maxLogits;
        _stepsPerPlan = stepsPerPlan;
        _policy = policy;
    }

    public int NumRunning => _running.Count;

    public int NumWaiting => _waiting.Count;

    /// <summary>Sequences that hold blocks, oldest first.</summary>
    public IReadOnlyList<Sequence> Running => _running;

    public bool HasWork => _running.Count + _waiting.Count > 0;

    /// <summary>Sequences preempted so far.</summary>
    public long NumPreemptions { get; private set; }

    /// <summary>Prompt tokens looked up in the prefix cache so far.</summary>
    public long NumPrefixQueries { get; private set; }

    /// <summary>Prompt tokens found there.</summary>
    public long NumPrefixHits { get; private set; }

    /// <summary>Who takes part in the step planned last.</summary>
    public ReadOnlySpan<ScheduledSequence> Scheduled => CollectionsMarshal.AsSpan(_scheduled);

    /// <summary>Puts a sequence at the end of the line, or of those that are as urgent. It must fit the whole pool on its own.</summary>
    public void Add(Sequence sequence)
    {
        sequence.Arrival = _numArrivals++;
        Queue(sequence);
    }

    /// <summary>Takes a sequence out, wherever it is, and frees its blocks. Between two steps only.</summary>
    public void Finish(Sequence sequence)
    {
        if (sequence.State == SequenceState.Waiting)
        {
            _waiting.Remove(sequence.QueueNode);
        }
        else if (sequence.State == SequenceState.Running)
        {
            _blocks.Release(sequence);
            _running.Remove(sequence);
        }

        sequence.State = SequenceState.Finished;
    }

    /// <summary>Plans the next step and counts its tokens as computed.</summary>
    /// <returns>The batch to launch, reused by the next call; empty only when there is no work.</returns>
    public StepBatch Plan()
    {
        _batch.NumBlockCopies = 0;
        if (_ahead.Count == 0 && _stepsLeft > 0)
        {
            CountNextTokens();
        }

        _scheduled.Clear();
        var budget = _maxNumBatchedTokens;
        var logits = _maxLogits;
        ScheduleAhead(ref budget, ref logits);
        if (_stepsLeft == 0 || _scheduled.Count == 0)
        {
            _stepsLeft = 0;
            PlanAnew(budget, logits);
        }
        else
        {
            _stepsLeft--;
        }

        BatchPacker.Pack(_batch, CollectionsMarshal.AsSpan(_scheduled), _blocks.BlockSize, _blocks.NumGroups);
        return _batch;
    }

    private void PlanAnew(int budget, int logits)
    {
        var preemptionsBefore = NumPreemptions;

        // Those planned ahead are all there are.
        for (var i = _scheduled.Count; i < _running.Count && budget > 0; i++)
        {
            var sequence = _running[i];
            var numTokens = Math.Min(sequence.Length - sequence.NumComputedTokens, budget);
            if (sequence.AwaitsOthers)
            {
                continue;
            }

            numTokens = FitLogits(sequence, numTokens, logits - (_running.Count - 1 - i));
            if (!TryReserve(sequence, sequence.NumComputedTokens + numTokens))
            {
                break;
            }

            Schedule(sequence, numTokens, ref budget, ref logits);
        }

        // After a preemption blocks are short: admitting now would only preempt again.
        if (NumPreemptions == preemptionsBefore)
        {
            AdmitWaiting(ref budget, ref logits);
        }

        // Nothing can run, because beams that are ahead hold what those behind need.
        while (_scheduled.Count == 0 && _waiting.Count > 0 && _running.Count > 0 && _running[^1].AwaitsOthers)
        {
            Preempt(_running[^1]);
            AdmitWaiting(ref budget, ref logits);
        }

        ScheduleDrafts(budget, logits);
        if (_stepsPerPlan > 1 && TrySetAside(_stepsPerPlan - 1))
        {
            _stepsLeft = _stepsPerPlan - 1;
        }
    }

    /// <summary>Takes back what was counted as computed for guesses that turned out wrong, and their blocks. Between two steps only, for a
    /// running sequence that got a token.</summary>
    public void SettleDraft(Sequence sequence)
    {
        sequence.TruncateDraft(0);
        sequence.NumComputedTokens = Math.Min(sequence.NumComputedTokens, sequence.Length - 1);
        _blocks.Trim(sequence, sequence.NumComputedTokens);
    }

    /// <summary>Gives a running sequence blocks of its own to write so many tokens to, at the cost of the youngest ones if need
    /// be.</summary>
    /// <returns>False when the sequence itself was the youngest left and has been preempted.</returns>
    private bool TryReserve(Sequence sequence, int numTokens)
    {
        _blocks.FreeUnread(sequence, sequence.NumComputedTokens);

        // Counted each time: a preempted fork leaves its blocks to this sequence.
        while (_blocks.CountMissing(sequence, numTokens) > _blocks.NumFree)
        {
            var victim = _running[^1];
            Preempt(victim);
            if (victim == sequence)
            {
                return false;
            }
        }

        _blocks.Grow(sequence, numTokens);
        _blocks.CopyShared(sequence, _batch);
        return true;
    }

    private void Preempt(Sequence victim)
    {
        _running.RemoveAt(_running.Count - 1);
        _blocks.Release(victim);
        victim.NumComputedTokens = 0;
        victim.TruncateDraft(0);
        if (victim.AwaitsOthers)
        {
            victim.State = SequenceState.Parked;
        }
        else
        {
            victim.State = SequenceState.Waiting;
            QueueAgain(victim);
        }

        NumPreemptions++;
    }

    private void AdmitWaiting(ref int budget, ref int logits)
    {
        while (budget > 0 && logits > 0 && _running.Count < _maxNumSeqs && _waiting.First?.Value is { } sequence)
        {
            var numTokens = TryAdmit(sequence, budget, logits);
            if (numTokens == 0)
            {
                break;
            }

            Schedule(sequence, numTokens, ref budget, ref logits);
        }
    }

    /// <summary>Moves the first waiting sequence to the running ones if there is room for it.</summary>
    /// <returns>Rows it gets in this step; 0 when it has to wait.</returns>
    private int TryAdmit(Sequence sequence, int budget, int logits)
    {
        var hits = _blocks.FindPrefix(sequence, MostCachedBlocks(sequence));
        var numUncomputed = sequence.Length - hits * _blocks.BlockSize;
        if ((!_enableChunkedPrefill && numUncomputed > budget) || !_blocks.TryBegin(sequence, hits))
        {
            return 0;
        }

        _waiting.RemoveFirst();
        Run(sequence);
        sequence.State = SequenceState.Running;
        if (sequence.NumCachedTokens is null)
        {
            sequence.NumCachedTokens = Math.Min(sequence.NumComputedTokens, sequence.PromptLength);
            NumPrefixQueries += _cachesPrefixes ? sequence.Length : 0;
            NumPrefixHits += sequence.NumComputedTokens;
        }

        return FitLogits(sequence, Math.Min(numUncomputed, budget), logits);
    }

    /// <summary>As many of the sequence's next tokens as so many logits allow. While scores are wanted each takes one, but for those
    /// computed again.</summary>
    private static int FitLogits(Sequence sequence, int numTokens, int logits) =>
        sequence.WantsScores
            ? (int)Math.Min(numTokens, Math.Max(0, sequence.NumScoredTokens - sequence.NumComputedTokens) + (long)logits)
            : numTokens;

    /// <summary>Leading blocks that may come from the prefix cache. The block of the first token whose logits are wanted never does: at
    /// least the last token has to be computed, or there would be nothing to sample from.</summary>
    private int MostCachedBlocks(Sequence sequence) =>
        (sequence.WantsScores ? sequence.NumScoredTokens : sequence.Length - 1) / _blocks.BlockSize;

    private void Schedule(Sequence sequence, int numTokens, ref int budget, ref int logits)
    {
        sequence.NumComputedTokens += numTokens;
        var scored = Math.Max(sequence.NumScoredTokens, Math.Min(sequence.NumComputedTokens, sequence.PromptLength - 1));
        var numScored = scored - sequence.NumScoredTokens;
        _scheduled.Add(new ScheduledSequence(sequence, numTokens, -1) { FirstScored = sequence.NumScoredTokens, NumScored = numScored });
        sequence.NumScoredTokens = scored;
        budget -= numTokens;
        logits -= numScored + (sequence.NumComputedTokens >= sequence.Length ? 1 : 0);
        _blocks.Register(sequence);
    }

    /// <summary>Extends sequences by their drafts, as far as rows, logits and blocks go that nothing else wants in this step. Draft tokens
    /// are not known, so their blocks are not offered to the prefix cache.</summary>
    private void ScheduleDrafts(int budget, int logits)
    {
        foreach (ref var entry in CollectionsMarshal.AsSpan(_scheduled))
        {
            var sequence = entry.Sequence;
            var numTokens = Math.Min(sequence.NumDraftTokens, Math.Min(budget, logits));
            while (_blocks.CountMissing(sequence, sequence.NumComputedTokens + numTokens) > _blocks.NumFree)
            {
                numTokens--;
            }

            _blocks.Grow(sequence, sequence.NumComputedTokens + numTokens);
            sequence.TruncateDraft(numTokens);
            sequence.NumComputedTokens += numTokens;
            entry = entry with { NumTokens = entry.NumTokens + numTokens };
            budget -= numTokens;
            logits -= numTokens;
        }
    }
}
