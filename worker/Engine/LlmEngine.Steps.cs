using Cluster.Worker.Draws;
using Cluster.Worker.Engine.Beams;

namespace Cluster.Worker.Engine;

/// <content>A step of the engine's thread, from the plan to the outputs.</content>
internal sealed partial class LlmEngine
{
    private void Step()
    {
        _speculator?.Propose(_scheduler.Running, _active);
        var batch = _scheduler.Plan();
        if (batch.NumTokens == 0)
        {
            throw new InvalidOperationException(
                $"no step can be planned for {_scheduler.NumRunning} running and {_scheduler.NumWaiting} waiting sequences");
        }

        foreach (var entry in _scheduler.Scheduled)
        {
            if (entry.Sequence.IsFresh)
            {
                _active[entry.Sequence].Request.Start();
            }
        }

        PlanDraws(batch);
        _runner.Launch(batch);
        if (_runner.RunsInBackground)
        {
            Deliver();
            if (_speculator is null)
            {
                _scheduler.TryPlanAhead();
            }
        }

        var logits = _runner.WaitForLogits();
        var drawn = _runner.Drawn;
        for (var i = 0; i < _drawOf.Count; i++)
        {
            var entry = _scheduler.Scheduled[i];
            if (entry.NumScored > 0 && !TryScore(entry, logits))
            {
                _touched.Add(_active[entry.Sequence]);
            }
            else if (entry.LogitIndex >= 0)
            {
                var sequence = _active[entry.Sequence];
                if (_drawOf[i] >= 0)
                {
                    Advance(sequence, [], drawn[_drawOf[i]]);
                    _touched.Add(sequence);
                    continue;
                }

                var rows = logits[(entry.LogitIndex * _runner.VocabSize)..];
                if (sequence.Request.Beams is { } search)
                {
                    Extend(search, sequence, rows[.._runner.VocabSize]);
                    continue;
                }

                var forks = sequence.Request.NeedsFork ? Fork(sequence) : [];
                Verify(sequence, rows);
                _touched.Add(sequence);
                foreach (var fork in forks)
                {
                    Verify(fork, rows);
                    _touched.Add(fork);
                }
            }
        }

        Settle();
        if (!_runner.RunsInBackground || !_scheduler.HasWork)
        {
            Deliver();
        }
    }

    /// <summary>Gives a sequence its next token, and one more for each token of its draft that was chosen: only then is the next row's
    /// context the sequence's own.</summary>
    /// <param name="logits">Begins with the sequence's rows: one, and one for each token of its draft.</param>
    private void Verify(ActiveSequence active, ReadOnlySpan<float> logits)
    {
        var sequence = active.Sequence;
        var (drafted, accepted, holds) = (sequence.NumDraftTokens, 0, true);
        for (var row = 0; holds && row <= drafted; row++)
        {
            var guess = row < drafted ? sequence.Draft[0] : -1;
            Advance(active, logits.Slice(row * _runner.VocabSize, _runner.VocabSize));
            holds = active.Request.Failure is null && sequence.Tokens[^1] == guess;
            accepted += holds ? 1 : 0;
            holds &= !active.HasEnded;
        }

        if (drafted > 0)
        {
            _speculator!.Count(drafted, accepted);
            if (!active.HasEnded)
            {
                _scheduler.SettleDraft(sequence);
            }
        }
    }

    /// <summary>Starts a request's other sequences on the prompt that its first has computed.</summary>
    private ReadOnlySpan<ActiveSequence> Fork(ActiveSequence first)
    {
        var forks = first.Request.Fork();
        for (var i = forks.Length - 1; i >= 0; i--)
        {
            // Last first: each comes directly behind the origin, so the lowest number ends up oldest.
            _scheduler.Fork(first.Sequence, forks[i].Sequence);
            _active.Add(forks[i].Sequence, forks[i]);
        }

        return forks;
    }

    /// <summary>Tells a search what one of its beams may go on with, and has the beams advance when it knows of all.</summary>
    private void Extend(BeamSearch search, ActiveSequence beam, ReadOnlySpan<float> logits)
    {
        var position = beam.Sequence.CompletionLength;
        try
        {
            _numPromptTokens += position == 0 ? beam.Sequence.PromptLength : 0;
            beam.Request.Continue();
            if (!search.Propose(beam, logits, _sampler))
            {
                return;
            }

            foreach (var (origin, heirs) in search.Advance())
            {
                _scheduler.Replace(origin.Sequence, [.. heirs.Select(heir => heir.Sequence)]);
                _active.Remove(origin.Sequence);
                foreach (var heir in heirs)
                {
                    _active.Add(heir.Sequence, heir);
                }
            }

            _numGenerationTokens += search.Sequences.Count;
            _touched.AddRange(search.Outputs ?? []);
        }
        catch (Exception exception)
        {
            Fail(beam.Request, exception, "output", position);
            _touched.Add(beam);
        }
    }

    /// <summary>Gives a request the log-probabilities of those prompt tokens that follow the step's scored ones.</summary>
    /// <returns>False when that failed, and the request with it.</returns>
    private bool TryScore(ScheduledSequence entry, ReadOnlySpan<float> logits)
    {
        var request = _active[entry.Sequence].Request;
        for (var i = 0; i < entry.NumScored && request.Failure is null; i++)
        {
            var position = entry.FirstScored + i + 1;
            var row = logits.Slice((entry.ScoreIndex + i) * _runner.VocabSize, _runner.VocabSize);
            try
            {
                request.AddPromptLogprobs(
                    _sampler.PromptLogprobs(row, entry.Sequence.Tokens[position], request.NumPromptLogprobs, position));
            }
            catch (Exception exception)
            {
                Fail(request, exception, "prompt", position);
            }
        }

        return request.Failure is null;
    }

    /// <summary>Gives a sequence its next token. Whatever goes wrong here concerns its request only.</summary>
    /// <param name="logits">The sequence's row; not looked at when the token is known.</param>
    /// <param name="drawn">What the device has chosen; null where the host chooses.</param>
    private void Advance(ActiveSequence sequence, ReadOnlySpan<float> logits, DrawResult? drawn = null)
    {
        var request = sequence.Request;
        var position = sequence.Sequence.CompletionLength;
        try
        {
            if (sequence.Sequence.IsFresh && sequence.Index == 0)
            {
                _numPromptTokens += sequence.Sequence.PromptLength;
            }

            if (sequence.NumTokensLeft == 0)
            {
                sequence.End();
                return;
            }

            var token = drawn is { } known
                ? Sampler.Accept(known, sequence.SamplingState)
                : _sampler.Sample(logits, sequence.SamplingState);
            var logprobs = sequence.NumLogprobs is not { } numTop ? null
                : drawn?.Logprob is { } own ? new PositionLogprobs(new TokenLogprob(token, own), [])
                : _sampler.Logprobs(logits, token, numTop);
            _numGenerationTokens++;
            request.Continue();
            sequence.Accept(token, logprobs);
        }
        catch (Exception exception)
        {
            Fail(request, exception, "output", position);
        }
    }

    private static void Fail(ActiveRequest request, Exception exception, string where, int position) =>
        request.Fail(exception as GenerationFailedException
            ?? new GenerationFailedException(
                $"request '{request.Id}' failed at {where} position {position}: {exception.Message}", exception));

    /// <summary>Frees what ended requests held and publishes the numbers. Comes before <see cref="Deliver"/>: who sees a request's end
    /// finds its blocks free and its id unused.</summary>
    private void Settle()
    {
        lock (_gate)
        {
            foreach (var sequence in _touched)
            {
                if (sequence.Request.HasEnded)
                {
                    foreach (var other in sequence.Request.Sequences)
                    {
                        Retire(other);
                    }
                }
                else if (sequence.HasEnded)
                {
                    Retire(sequence);
                }
            }

            _statistics = TakeStatistics();
        }
    }

    /// <summary>Makes the text of what was sampled and lets it out.</summary>
    private void Deliver()
    {
        if (_touched.Count == 0)
        {
            return;
        }

        Compose();
        foreach (var sequence in _touched)
        {
            sequence.Request.Deliver(sequence, _observer);
        }

        _touched.Clear();
        lock (_gate)
        {
            CompleteIfIdle();
        }
    }

    private void Compose()
    {
        var failed = false;
        foreach (var sequence in _touched)
        {
            try
            {
                sequence.Compose();
            }
            catch (Exception exception)
            {
                Fail(sequence.Request, exception, "output", sequence.Sequence.CompletionLength - 1);
                failed = true;
            }
        }

        if (failed)
        {
            Settle();
        }
    }

    private void Retire(ActiveSequence sequence)
    {
        if (!_active.Remove(sequence.Sequence))
        {
            return;
        }

        _scheduler.Finish(sequence.Sequence);
        _speculator?.Forget(sequence.Sequence);
        var request = sequence.Request;
        var before = request.NumUnfinished;
        request.Retire();
        _numSequences -= before - request.NumUnfinished;
        if (request.NumUnfinished == 0)
        {
            _requests.Remove(request.Id);
        }
    }
}
