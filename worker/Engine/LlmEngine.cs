using System.Runtime.CompilerServices;
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
/// <item>ended sequences free their blocks, the numbers are published, and then outputs become text and go to the requests' queues. A runner that works in
/// the background computes the next step meanwhile, and the one after that is planned as far as it can be.</item>
/// </list>
/// Callers and the thread meet under <c>gate</c> only: arrivals, aborts, the ids in use and the published numbers. Everything else
/// belongs to the thread.
/// </remarks>
internal sealed partial class LlmEngine : IEngine, IAsyncDisposable
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
    private readonly IEngineObserver? observer;
    private readonly int[] eosTokenIds;
    private readonly ulong seed;

    private readonly object gate = new();
    private readonly Dictionary<string, ActiveRequest> requests = [];
    private readonly Queue<ActiveRequest> arrivals = [];
    private readonly Queue<ActiveRequest> aborts = [];
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
    private readonly List<ActiveRequest> aborted = [];
    private long numPromptTokens;
    private long numGenerationTokens;

    /// <summary>Starts the engine's thread.</summary>
    /// <param name="runner">Owned: disposed when the engine stops.</param>
    /// <param name="proposer">Guesses tokens ahead (speculative decoding); owned, like the runner. Null to go token by token.</param>
    /// <param name="observer">Is told of latencies and ended requests.</param>
    /// <exception cref="ArgumentException">An option is out of range or does not fit the runner.</exception>
    public LlmEngine(
        IModelRunner runner, ITokenizer tokenizer, EngineOptions options, TimeProvider time, IDraftProposer? proposer = null, IEngineObserver? observer = null)
    {
        this.runner = runner;
        this.observer = observer;
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
        var requestSeed = CounterRandom.Bits(seed, Interlocked.Increment(ref numArrivals));
        var accepted = new ActiveRequest(request, constraint, tokenizer, eosTokenIds, MaxModelLength, requestSeed, time);
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

    private void Submit(ActiveRequest request)
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
        ActiveRequest request, CancellationTokenRegistration registration, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var output in request.Outputs.ReadAllAsync(cancellationToken))
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
    private bool RequestAbort(ActiveRequest request)
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
        ActiveRequest[] victims;
        lock (gate)
        {
            death = exception;

            // With those that ended just now and whose last outputs have not left.
            victims = [.. requests.Values.Union(touched.Select(sequence => sequence.Request))];
        }

        Array.ForEach(victims, request => request.Close(observer, Unavailable(exception)));
        lock (gate)
        {
            requests.Clear();
            arrivals.Clear();
            aborts.Clear();
            idle.TrySetResult();
        }

        completion.SetException(exception);
    }

    private static EngineUnavailableException Unavailable(Exception exception) => new($"the engine has failed and must be restarted: {exception.Message}", exception);
}
