using System.Runtime.CompilerServices;
using Cluster.Worker.Engine.Beams;
using Cluster.Worker.Engine.Constraints;
using Cluster.Worker.Engine.Speculation;
using Cluster.Worker.Models;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Engine;

/// <summary>Generates text for many requests at once (continuous batching). Called by serving through <see cref="IEngine"/>, from any thread; one thread
/// of its own calls <see cref="Scheduler"/>, <see cref="IModelRunner"/> and <see cref="Sampler"/>.</summary>
/// <remarks>
/// The life of a request:
/// <list type="number">
/// <item><see cref="GenerateAsync"/> validates it, puts it among the arrivals and wakes the engine's thread;</item>
/// <item>the thread takes arrivals and aborts between two steps, and sleeps when there is nothing to do;</item>
/// <item><see cref="Step"/>: guess tokens ahead, if speculating → plan → launch → wait for the logits → sample a token for each sequence that reached its last one,
/// and more where guesses were right → stop checks, text; a request of several sequences forks them when its prompt is computed;</item>
/// <item>ended sequences free their blocks, the numbers are published, and then outputs become text and go to the requests' channels. A runner that works in
/// the background computes the next step meanwhile, and the one after that is planned as far as it can be.</item>
/// </list>
/// Callers and the thread meet under <c>gate</c> only: arrivals, aborts, the ids in use and the published numbers. Everything else
/// belongs to the thread.
/// </remarks>
internal sealed class LlmEngine : IEngine, IAsyncDisposable
{
    private readonly IModelRunner runner;
    private readonly ITokenizer tokenizer;
    private readonly EngineOptions options;
    private readonly TimeProvider time;
    private readonly RequestValidator validator;
    private readonly BlockPool pool;
    private readonly Scheduler scheduler;
    private readonly Sampler sampler;
    private readonly ConstraintCompiler constraints;
    private readonly Speculator? speculator;
    private readonly int[] eosTokenIds;
    private readonly ulong seed;

    private readonly object gate = new();
    private readonly Dictionary<string, SequenceGroup> requests = [];
    private readonly Queue<SequenceGroup> arrivals = [];
    private readonly Queue<SequenceGroup> aborts = [];
    private readonly TaskCompletionSource idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private EngineStatistics statistics;
    private ulong numArrivals;
    private int numSequences;
    private bool draining;
    private bool stopping;
    private Exception? death;

    private readonly Dictionary<Sequence, ActiveSequence> active = [];
    private readonly List<ActiveSequence> touched = [];
    private readonly List<SequenceGroup> aborted = [];
    private long numPromptTokens;
    private long numGenerationTokens;

    /// <summary>Starts the engine's thread.</summary>
    /// <param name="runner">Owned: disposed when the engine stops.</param>
    /// <param name="proposer">Guesses tokens ahead (speculative decoding); owned, like the runner. Null to go token by token.</param>
    /// <exception cref="ArgumentException">An option is out of range or does not fit the runner.</exception>
    public LlmEngine(IModelRunner runner, ITokenizer tokenizer, EngineOptions options, TimeProvider time, IDraftProposer? proposer = null)
    {
        this.runner = runner;
        this.tokenizer = tokenizer;
        this.time = time;
        pool = new BlockPool(runner.NumBlocks, runner.BlockSize);

        // A sequence that needs more than the whole pool could never run to its end.
        var kvCacheTokens = (int)Math.Min(int.MaxValue, (long)runner.NumBlocks * runner.BlockSize);
        MaxModelLength = Math.Min(runner.MaxModelLength, kvCacheTokens);
        this.options = options.For(runner, MaxModelLength);
        validator = new RequestValidator(runner.VocabSize, MaxModelLength, kvCacheTokens, options.MaxLogprobs);
        scheduler = new Scheduler(
            pool,
            options.EnablePrefixCaching ? BlockHasher.Create() : null,
            this.options.MaxNumSeqs,
            this.options.MaxNumBatchedTokens,
            options.EnableChunkedPrefill,
            runner.MaxLogits,
            proposer is null ? options.NumSchedulerSteps : 1);
        sampler = new Sampler(runner.VocabSize);
        speculator = proposer is null ? null : new Speculator(proposer, options.NumSpeculativeTokens);
        eosTokenIds = [.. options.EosTokenIds.Where(token => (uint)token < (uint)runner.VocabSize)];
        constraints = new ConstraintCompiler(tokenizer, runner.VocabSize, eosTokenIds);
        seed = (ulong)(options.Seed ?? Random.Shared.NextInt64());
        statistics = TakeStatistics();
        new Thread(Run) { IsBackground = true, Name = "engine" }.Start();
    }

    public int MaxModelLength { get; }

    public int VocabSize => runner.VocabSize;

    public IEngineObserver? Observer { get; set; }

    /// <summary>Completes when the engine has stopped; faulted when it died of an error, which its requests were told, too.</summary>
    public Task Completion => completion.Task;

    public EngineStatistics Statistics
    {
        get
        {
            lock (gate)
            {
                return statistics with { Waiting = Math.Max(0, numSequences - statistics.Running) };
            }
        }
    }

    public IAsyncEnumerable<TokenOutput> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        validator.Validate(request);
        var constraint = request.Sampling.Constraint is { } wanted ? constraints.Compile(wanted) : null;
        var arrival = time.GetTimestamp();
        var requestSeed = CounterRandom.Bits(seed, Interlocked.Increment(ref numArrivals));
        var accepted = new SequenceGroup(request, constraint, tokenizer, eosTokenIds, MaxModelLength, requestSeed, arrival);
        Submit(accepted);
        return ReadAsync(accepted, cancellationToken.UnsafeRegister(_ => RequestAbort(accepted), null), cancellationToken);
    }

    public bool Abort(string requestId)
    {
        lock (gate)
        {
            return requests.TryGetValue(requestId, out var request) && RequestAbort(request);
        }
    }

    public async Task DrainAsync(TimeSpan timeout)
    {
        lock (gate)
        {
            draining = true;
            CompleteIfIdle();
        }

        try
        {
            await idle.Task.WaitAsync(timeout, time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            lock (gate)
            {
                foreach (var request in requests.Values)
                {
                    RequestAbort(request);
                }
            }

            await idle.Task.ConfigureAwait(false);
        }
    }

    /// <summary>Aborts what runs, stops the thread and disposes the runner.</summary>
    public async ValueTask DisposeAsync()
    {
        await DrainAsync(TimeSpan.Zero).ConfigureAwait(false);
        lock (gate)
        {
            stopping = true;
            Monitor.Pulse(gate);
        }

        await completion.Task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private void Submit(SequenceGroup request)
    {
        lock (gate)
        {
            if (death is not null)
            {
                throw Unavailable(death);
            }

            if (draining)
            {
                throw new EngineUnavailableException("the engine is shutting down and takes no new requests");
            }

            if (numSequences + request.NumUnfinished > options.MaxNumSeqs + options.MaxQueue)
            {
                throw new QueueFullException(
                    $"{numSequences} sequences are running or waiting and the request has {request.NumUnfinished}, more than the engine takes "
                    + $"({options.MaxNumSeqs} + a queue of {options.MaxQueue}); try again later");
            }

            if (!requests.TryAdd(request.Id, request))
            {
                throw new InvalidRequestException($"request_id '{request.Id}' belongs to a request that is still running; use another", "request_id");
            }

            numSequences += request.NumUnfinished;
            arrivals.Enqueue(request);
            Monitor.Pulse(gate);
        }
    }

    private async IAsyncEnumerable<TokenOutput> ReadAsync(
        SequenceGroup request, CancellationTokenRegistration registration, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var output in request.Outputs.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                yield return output;
            }
        }
        finally
        {
            registration.Unregister();
            RequestAbort(request);
        }
    }

    /// <summary>Has the engine's thread end a request before its next step.</summary>
    /// <returns>False when it has ended already.</returns>
    private bool RequestAbort(SequenceGroup request)
    {
        lock (gate)
        {
            if (requests.GetValueOrDefault(request.Id) != request)
            {
                return false;
            }

            aborts.Enqueue(request);
            Monitor.Pulse(gate);
            return true;
        }
    }

    private void Run()
    {
        try
        {
            using (speculator)
            using (runner)
            {
                while (TakeCommands())
                {
                    if (scheduler.HasWork)
                    {
                        Step();
                    }
                }
            }

            completion.SetResult();
        }
        catch (Exception exception)
        {
            Die(exception);
        }
    }

    /// <summary>Takes in what callers asked for since the last step; sleeps while there is nothing to do.</summary>
    /// <returns>False when the engine shall stop.</returns>
    private bool TakeCommands()
    {
        lock (gate)
        {
            while (arrivals.Count == 0 && aborts.Count == 0 && !scheduler.HasWork && !stopping)
            {
                Monitor.Wait(gate);
            }

            while (arrivals.TryDequeue(out var request))
            {
                var first = request.Sequences[0];
                scheduler.Add(first.Sequence);
                active.Add(first.Sequence, first);
            }

            aborted.AddRange(aborts);
            aborts.Clear();
        }

        if (aborted.Count > 0)
        {
            AbortAll();
        }

        return !stopping;
    }

    private void AbortAll()
    {
        // What the last step gave them comes before their end.
        Deliver();
        foreach (var request in aborted)
        {
            if (request is { Failure: null, Beams: { Outputs: null } search })
            {
                search.Abort();
                touched.AddRange(search.Outputs!);
                continue;
            }

            foreach (var sequence in request.Sequences)
            {
                // It may have ended, or been aborted twice.
                if (active.ContainsKey(sequence.Sequence) && !sequence.HasEnded)
                {
                    sequence.Abort();
                    touched.Add(sequence);
                }
            }
        }

        aborted.Clear();
        Settle();
        Deliver();
    }

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
                active[entry.Sequence].Group.Start(time);
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
                if (sequence.Group.Beams is { } search)
                {
                    Extend(search, sequence, rows[..runner.VocabSize]);
                    continue;
                }

                var forks = sequence.Group.NeedsFork ? Fork(sequence) : [];
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
            holds = active.Group.Failure is null && sequence.Tokens[^1] == guess;
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

    /// <summary>Starts a group's other sequences on the prompt that its first has computed.</summary>
    private ReadOnlySpan<ActiveSequence> Fork(ActiveSequence first)
    {
        var forks = first.Group.Fork();
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
            Fail(beam.Group, exception, "output", position);
            touched.Add(beam);
        }
    }

    /// <summary>Gives a request the log-probabilities of those prompt tokens that follow the step's scored ones.</summary>
    /// <returns>False when that failed, and the request with it.</returns>
    private bool TryScore(ScheduledSequence entry, ReadOnlySpan<float> logits)
    {
        var group = active[entry.Sequence].Group;
        for (var i = 0; i < entry.NumScored && group.Failure is null; i++)
        {
            var position = entry.FirstScored + i + 1;
            var row = logits.Slice((entry.ScoreIndex + i) * runner.VocabSize, runner.VocabSize);
            try
            {
                group.AddPromptLogprobs(sampler.PromptLogprobs(row, entry.Sequence.Tokens[position], group.NumPromptLogprobs, position));
            }
            catch (Exception exception)
            {
                Fail(group, exception, "prompt", position);
            }
        }

        return group.Failure is null;
    }

    /// <summary>Gives a sequence its next token. Whatever goes wrong here concerns its request only.</summary>
    private void Advance(ActiveSequence sequence, ReadOnlySpan<float> logits)
    {
        var group = sequence.Group;
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
            sequence.Accept(token, logprobs);
        }
        catch (Exception exception)
        {
            Fail(group, exception, "output", position);
        }
    }

    private static void Fail(SequenceGroup group, Exception exception, string where, int position) =>
        group.Fail(exception as GenerationFailedException
            ?? new GenerationFailedException($"request '{group.Id}' failed at {where} position {position}: {exception.Message}", exception));

    /// <summary>Frees what ended requests held and publishes the numbers. Comes before <see cref="Deliver"/>: who sees a request's end finds its
    /// blocks free and its id unused.</summary>
    private void Settle()
    {
        lock (gate)
        {
            foreach (var sequence in touched)
            {
                if (sequence.Group.HasEnded)
                {
                    foreach (var other in sequence.Group.Sequences)
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
            if (Observer is { } observer)
            {
                sequence.Report(observer, time);
            }

            sequence.Group.Deliver(sequence);
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
                Fail(sequence.Group, exception, "output", sequence.Sequence.CompletionLength - 1);
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
        var group = sequence.Group;
        var before = group.NumUnfinished;
        group.Retire();
        numSequences -= before - group.NumUnfinished;
        if (group.NumUnfinished == 0)
        {
            requests.Remove(group.Id);
        }
    }

    private EngineStatistics TakeStatistics() => new(
        scheduler.NumRunning,
        scheduler.NumWaiting,
        (double)pool.NumUsed / pool.NumBlocks,
        scheduler.NumPrefixQueries,
        scheduler.NumPrefixHits,
        scheduler.NumPreemptions,
        numPromptTokens,
        numGenerationTokens,
        pool.NumBlocks,
        pool.BlockSize)
    {
        Speculation = speculator?.Statistics,
    };

    private void CompleteIfIdle()
    {
        if (draining && requests.Count == 0)
        {
            idle.TrySetResult();
        }
    }

    /// <summary>A step failed, so the cache's contents are unknown: every request ends with the reason, and none is taken any more.</summary>
    private void Die(Exception exception)
    {
        lock (gate)
        {
            death = exception;
            // With those that ended just now and whose last outputs have not left.
            foreach (var request in requests.Values.Union(touched.Select(sequence => sequence.Group)))
            {
                request.Kill(Unavailable(exception));
            }

            requests.Clear();
            arrivals.Clear();
            aborts.Clear();
            idle.TrySetResult();
        }

        completion.SetException(exception);
    }

    private static EngineUnavailableException Unavailable(Exception exception) => new($"the engine has failed and must be restarted: {exception.Message}", exception);
}
