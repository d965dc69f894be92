using Cluster.Worker.Engine.Beams;

namespace Cluster.Worker.Engine;

/// <content>A step of the engine's thread, from the plan to the outputs.</content>
internal sealed partial class LlmEngine
{
    private void Step()
    {
        speculator?.Propose(scheduler.Running, active);
        var batch = scheduler.Plan();
        if (batch.NumTokens == 0)
        {
            throw new InvalidOperationException($"no step can be planned for {scheduler.NumRunning} running and {scheduler.NumWaiting} waiting sequences");
        }

        foreach (var entry in scheduler.Scheduled)
        {
            if (entry.Sequence.CompletionLength == 0)
            {
                active[entry.Sequence].Request.Start();
            }
        }

        runner.Launch(batch);
        if (runner.RunsInBackground)
        {
            Deliver();
            if (speculator is null)
            {
                scheduler.TryPlanAhead();
            }
        }

        var logits = runner.WaitForLogits();
        foreach (var entry in scheduler.Scheduled)
        {
            if (entry.NumScored > 0 && !TryScore(entry, logits))
            {
                touched.Add(active[entry.Sequence]);
            }
            else if (entry.LogitIndex >= 0)
            {
                var sequence = active[entry.Sequence];
                var rows = logits[(entry.LogitIndex * runner.VocabSize)..];
                if (sequence.Request.Beams is { } search)
                {
                    Extend(search, sequence, rows[..runner.VocabSize]);
                    continue;
                }

                var forks = sequence.Request.NeedsFork ? Fork(sequence) : [];
                Verify(sequence, rows);
                touched.Add(sequence);
                foreach (var fork in forks)
                {
                    Verify(fork, rows);
                    touched.Add(fork);
                }
            }
        }

        Settle();
        if (!runner.RunsInBackground || !scheduler.HasWork)
        {
            Deliver();
        }
    }

    /// <summary>Gives a sequence its next token, and one more for each token of its draft that was chosen: only then is the next row's context the
    /// sequence's own.</summary>
    /// <param name="logits">Begins with the sequence's rows: one, and one for each token of its draft.</param>
    private void Verify(ActiveSequence active, ReadOnlySpan<float> logits)
    {
        var sequence = active.Sequence;
        var (drafted, accepted, holds) = (sequence.NumDraftTokens, 0, true);
        for (var row = 0; holds && row <= drafted; row++)
        {
            var guess = row < drafted ? sequence.Draft[0] : -1;
            Advance(active, logits.Slice(row * runner.VocabSize, runner.VocabSize));
            holds = active.Request.Failure is null && sequence.Tokens[^1] == guess;
            accepted += holds ? 1 : 0;
            holds &= !active.HasEnded;
        }

        if (drafted > 0)
        {
            speculator!.Count(drafted, accepted);
            if (!active.HasEnded)
            {
                scheduler.SettleDraft(sequence);
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
            scheduler.Fork(first.Sequence, forks[i].Sequence);
            active.Add(forks[i].Sequence, forks[i]);
        }

        return forks;
    }

    /// <summary>Tells a search what one of its beams may go on with, and has the beams advance when it knows of all.</summary>
    private void Extend(BeamSearch search, ActiveSequence beam, ReadOnlySpan<float> logits)
    {
        var position = beam.Sequence.CompletionLength;
        try
        {
            numPromptTokens += position == 0 ? beam.Sequence.PromptLength : 0;
            beam.Request.Continue();
            if (!search.Propose(beam, logits, sampler))
            {
                return;
            }

            foreach (var (origin, heirs) in search.Advance())
            {
                scheduler.Replace(origin.Sequence, [.. heirs.Select(heir => heir.Sequence)]);
                active.Remove(origin.Sequence);
                foreach (var heir in heirs)
                {
                    active.Add(heir.Sequence, heir);
                }
            }

            numGenerationTokens += search.Sequences.Count;
            touched.AddRange(search.Outputs ?? []);
        }
        catch (Exception exception)
        {
            Fail(beam.Request, exception, "output", position);
            touched.Add(beam);
        }
    }

    /// <summary>Gives a request the log-probabilities of those prompt tokens that follow the step's scored ones.</summary>
    /// <returns>False when that failed, and the request with it.</returns>
    private bool TryScore(ScheduledSequence entry, ReadOnlySpan<float> logits)
    {
        var request = active[entry.Sequence].Request;
        for (var i = 0; i < entry.NumScored && request.Failure is null; i++)
        {
            var position = entry.FirstScored + i + 1;
            var row = logits.Slice((entry.ScoreIndex + i) * runner.VocabSize, runner.VocabSize);
            try
            {
                request.AddPromptLogprobs(sampler.PromptLogprobs(row, entry.Sequence.Tokens[position], request.NumPromptLogprobs, position));
            }
            catch (Exception exception)
            {
                Fail(request, exception, "prompt", position);
            }
        }

        return request.Failure is null;
    }

    /// <summary>Gives a sequence its next token. Whatever goes wrong here concerns its request only.</summary>
    private void Advance(ActiveSequence sequence, ReadOnlySpan<float> logits)
    {
        var request = sequence.Request;
        var position = sequence.Sequence.CompletionLength;
        try
        {
            if (position == 0 && sequence.Index == 0)
            {
                numPromptTokens += sequence.Sequence.PromptLength;
            }

            if (sequence.NumTokensLeft == 0)
            {
                sequence.End();
                return;
            }

            var token = sampler.Sample(logits, sequence.SamplingState);
            var logprobs = sequence.NumLogprobs is { } numTop ? sampler.Logprobs(logits, token, numTop) : null;
            numGenerationTokens++;
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
            ?? new GenerationFailedException($"request '{request.Id}' failed at {where} position {position}: {exception.Message}", exception));

    /// <summary>Frees what ended requests held and publishes the numbers. Comes before <see cref="Deliver"/>: who sees a request's end finds its
    /// blocks free and its id unused.</summary>
    private void Settle()
    {
        lock (gate)
        {
            foreach (var sequence in touched)
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

            statistics = TakeStatistics();
        }
    }

    /// <summary>Makes the text of what was sampled and lets it out.</summary>
    private void Deliver()
    {
        if (touched.Count == 0)
        {
            return;
        }

        Compose();
        foreach (var sequence in touched)
        {
            sequence.Request.Deliver(sequence, observer);
        }

        touched.Clear();
        lock (gate)
        {
            CompleteIfIdle();
        }
    }

    private void Compose()
    {
        var failed = false;
        foreach (var sequence in touched)
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
        if (!active.Remove(sequence.Sequence))
        {
            return;
        }

        scheduler.Finish(sequence.Sequence);
        speculator?.Forget(sequence.Sequence);
        var request = sequence.Request;
        var before = request.NumUnfinished;
        request.Retire();
        numSequences -= before - request.NumUnfinished;
        if (request.NumUnfinished == 0)
        {
            requests.Remove(request.Id);
        }
    }
}
