namespace Cluster.Worker.Engine;

/// <content>What callers ask for between two steps: arrivals and aborts.</content>
internal sealed partial class LlmEngine
{
    private readonly List<ActiveSequence> _endedBefore = [];
    private readonly List<ActiveRequest> _aborted = [];

    /// <summary>Takes in what callers asked for since the last step; sleeps while there is nothing to do.</summary>
    /// <returns>False when the engine shall stop.</returns>
    private bool TakeCommands()
    {
        lock (_gate)
        {
            while (_arrivals.Count == 0 && _aborts.Count == 0 && !_scheduler.HasWork && !_stopping && !_probeDue)
            {
                _clock.Rest();
                Monitor.Wait(_gate);
            }

            while (_arrivals.TryDequeue(out var request))
            {
                foreach (var sequence in request.Sequences)
                {
                    Admit(sequence);
                }
            }

            _aborted.AddRange(_aborts);
            _aborts.Clear();
        }

        if (_endedBefore.Count > 0)
        {
            DeliverEnded();
        }

        if (_aborted.Count > 0)
        {
            AbortAll();
        }

        return !_stopping;
    }

    private void Admit(ActiveSequence sequence)
    {
        _active.Add(sequence.Sequence, sequence);
        if (sequence.HasEnded)
        {
            sequence.Sequence.State = SequenceState.Parked;
            _endedBefore.Add(sequence);
        }
        else
        {
            _scheduler.Add(sequence.Sequence);
        }
    }

    /// <summary>Sequences that came with all of their output (<see cref="Resumption"/>) leave without a step.</summary>
    private void DeliverEnded()
    {
        Deliver();
        _touched.AddRange(_endedBefore);
        _endedBefore.Clear();
        Settle();
        Deliver();
    }

    private void AbortAll()
    {
        // What the last step gave them comes before their end.
        Deliver();
        foreach (var request in _aborted)
        {
            if (request is { Failure: null, Beams: { Outputs: null } search })
            {
                search.Abort();
                _touched.AddRange(search.Outputs!);
                continue;
            }

            foreach (var sequence in request.Sequences)
            {
                // It may have ended, or been aborted twice.
                if (_active.ContainsKey(sequence.Sequence) && !sequence.HasEnded)
                {
                    sequence.Abort();
                    _touched.Add(sequence);
                }
            }
        }

        _aborted.Clear();
        Settle();
        Deliver();
    }
}
