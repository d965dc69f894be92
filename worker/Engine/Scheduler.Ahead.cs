namespace Cluster.Worker.Engine;

/// <content>What is planned before the tokens of the step before are known: the next step, or several.</content>
internal sealed partial class Scheduler
{
    private readonly List<ScheduledSequence> _ahead = [];
    private int _stepsLeft;

    /// <summary>Plans the running sequences' part of the next step while the last one planned still runs. Every sequence that gets a token
    /// from it is expected to go on. <see cref="Plan"/> completes the plan once the tokens are known. Not for sequences with
    /// drafts.</summary>
    /// <returns>False when the plan has to wait: blocks are short, sequences may fork, or logits of prompts are wanted.</returns>
    public bool TryPlanAhead()
    {
        if (_stepsLeft > 0)
        {
            CountNextTokens();
            return true;
        }

        if (!CanPlanAhead())
        {
            return false;
        }

        var budget = _maxNumBatchedTokens;
        foreach (var sequence in _running)
        {
            var numTokens = NextTokens(sequence, budget);
            _blocks.Grow(sequence, sequence.NumComputedTokens + numTokens);
            CountAhead(sequence, numTokens);
            budget -= numTokens;
        }

        return true;
    }

    /// <summary>The rows a running sequence wants in the step after the one that runs.</summary>
    private static int NextTokens(Sequence sequence, int budget) =>
        Math.Min(Math.Max(1, sequence.Length - sequence.NumComputedTokens), budget);

    private bool CanPlanAhead()
    {
        var budget = _maxNumBatchedTokens;
        var blocks = 0;
        foreach (var sequence in _running)
        {
            var numTokens = NextTokens(sequence, budget);
            if (numTokens == 0 || sequence.MayFork || sequence.WantsScores || _blocks.WritesShared(sequence))
            {
                return false;
            }

            _blocks.FreeUnread(sequence, sequence.NumComputedTokens);
            blocks += _blocks.CountMissing(sequence, sequence.NumComputedTokens + numTokens);
            budget -= numTokens;
        }

        return blocks <= _blocks.NumFree;
    }

    /// <summary>The next step of a plan for several: one more token for everybody.</summary>
    private void CountNextTokens()
    {
        foreach (var entry in _scheduled)
        {
            if (entry.Sequence.State == SequenceState.Running)
            {
                CountAhead(entry.Sequence, 1);
            }
        }
    }

    private void CountAhead(Sequence sequence, int numTokens)
    {
        sequence.NumComputedTokens += numTokens;
        _ahead.Add(new ScheduledSequence(sequence, numTokens, -1));
    }

    /// <summary>Schedules what was planned ahead and has not ended since.</summary>
    private void ScheduleAhead(ref int budget, ref int logits)
    {
        foreach (var entry in _ahead)
        {
            if (entry.Sequence.State == SequenceState.Running)
            {
                _scheduled.Add(entry);
                _blocks.Register(entry.Sequence);
                budget -= entry.NumTokens;
                logits -= entry.Sequence.NumComputedTokens >= entry.Sequence.Length ? 1 : 0;
            }
        }

        _ahead.Clear();
    }

    /// <summary>Gives the step's sequences blocks for further tokens, if all of them only decode and there are enough.</summary>
    private bool TrySetAside(int numTokens)
    {
        var blocks = 0;
        foreach (var (sequence, rows, _) in _scheduled)
        {
            if (rows != 1 || sequence.NumComputedTokens != sequence.Length || sequence.MayFork)
            {
                return false;
            }

            blocks += _blocks.CountMissing(sequence, sequence.NumComputedTokens + numTokens);
        }

        if (blocks > _blocks.NumFree)
        {
            return false;
        }

        foreach (var (sequence, _, _) in _scheduled)
        {
            _blocks.Grow(sequence, sequence.NumComputedTokens + numTokens);
        }

        return true;
    }
}
