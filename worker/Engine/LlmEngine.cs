using System.Runtime.CompilerServices;
using Cluster.Worker.Engine.Constraints;
using Cluster.Worker.Engine.Speculation;
using Cluster.Worker.Models.Running;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Engine;

/// <summary>Generates text for many requests at once (continuous batching). Called by serving through <see cref="IEngine"/>, from any
/// thread; one thread of its own calls <see cref="Scheduler"/>, <see cref="IModelRunner"/> and <see cref="Sampler"/>.</summary>
/// <remarks>
/// The life of a request:
/// <list type="number">
/// <item><see cref="GenerateAsync"/> validates it, puts it among the arrivals and wakes the engine's thread;</item>
/// <item>the thread takes arrivals and aborts between two steps, and sleeps when there is nothing to do;</item>
/// <item><see cref="Step"/>: guess tokens ahead, if speculating → plan → launch → wait for the logits → sample a token for each sequence
/// that reached its last one, and more where guesses were right → stop checks, text; a request of several sequences forks them when its
/// prompt is computed;</item>
/// <item>ended sequences free their blocks, the numbers are published, and then outputs become text and go to the requests' queues. A
/// runner that works in the background computes the next step meanwhile, and the one after that is planned as far as it can be.</item>
/// </list>
/// Callers and the thread meet under <c>gate</c> only: arrivals, aborts, the ids in use and the published numbers. Everything else
/// belongs to the thread.
/// </remarks>
internal sealed partial class LlmEngine : IEngine, IAsyncDisposable
{
    private readonly IModelRunner _runner;
    private readonly ITokenizer _tokenizer;
    private readonly EngineOptions _options;
    private readonly TimeProvider _time;
    private readonly RequestValidator _validator;
    private readonly BlockPool _pool;
    private readonly Scheduler _scheduler;
    private readonly Sampler _sampler;
    private readonly ConstraintCompiler _constraints;
    private readonly Speculator? _speculator;
    private readonly IEngineObserver? _observer;
    private readonly StepClock _clock;
    private readonly int[] _eosTokenIds;
    private readonly ulong _seed;

    private readonly object _gate = new();
    private readonly Dictionary<string, ActiveRequest> _requests = [];
    private readonly Queue<ActiveRequest> _arrivals = [];
    private readonly Queue<ActiveRequest> _aborts = [];
    private readonly TaskCompletionSource _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private EngineStatistics _statistics;
    private ulong _numArrivals;
    private int _numSequences;
    private bool _draining;
    private bool _stopping;
    private Exception? _death;

    private readonly Dictionary<Sequence, ActiveSequence> _active = [];
    private readonly List<ActiveSequence> _touched = [];
    private long _numPromptTokens;
    private long _numGenerationTokens;

    /// <summary>Starts the engine's thread.</summary>
    /// <param name="runner">Owned: disposed when the engine stops.</param>
    /// <param name="proposer">Guesses tokens ahead (speculative decoding); owned, like the runner. Null to go token by token.</param>
    /// <param name="observer">Is told of latencies and ended requests.</param>
    /// <exception cref="ArgumentException">An option is out of range or does not fit the runner.</exception>
    public LlmEngine(
        IModelRunner runner, ITokenizer tokenizer, EngineOptions options, TimeProvider time, IDraftProposer? proposer = null,
        IEngineObserver? observer = null)
    {
        _runner = runner;
        _observer = observer;
        _tokenizer = tokenizer;
        _time = time;
        _clock = new StepClock(time, () => runner.Progress);
        _pool = new BlockPool(runner.NumBlocks, runner.BlockSize);

        // A sequence that needs more than the whole pool could never run to its end.
        var kvCacheTokens = runner.KvGroups.LongestIn(runner.NumBlocks, runner.MaxBatchedTokens, runner.BlockSize);
        MaxModelLength = Math.Min(runner.MaxModelLength, kvCacheTokens);
        _options = options.For(runner, MaxModelLength);
        _validator = new RequestValidator(
            runner.VocabSize, MaxModelLength, kvCacheTokens, options.MaxLogprobs, options.SchedulingPolicy)
        {
            MaxPromptTokens = options.MaxPromptTokens,
        };
        _scheduler = new Scheduler(
            _pool,
            options.EnablePrefixCaching ? BlockHasher.Create() : null,
            _options.MaxNumSeqs,
            _options.MaxNumBatchedTokens,
            options.EnableChunkedPrefill,
            runner.MaxLogits,
            proposer is null ? options.NumSchedulerSteps : 1,
            options.SchedulingPolicy,
            runner.KvGroups);
        _sampler = new Sampler(runner.VocabSize);
        _speculator = proposer is null ? null : new Speculator(proposer, options.NumSpeculativeTokens);
        _eosTokenIds = [.. options.EosTokenIds.Where(token => (uint)token < (uint)runner.VocabSize)];
        _constraints = new ConstraintCompiler(tokenizer, runner.VocabSize, _eosTokenIds);
        _seed = (ulong)(options.Seed ?? Random.Shared.NextInt64());
        if (_options.ProbeInterval > TimeSpan.Zero && (_probe = KnownAnswerProbe.For(runner, _pool)) is not null)
        {
            _probeTimer = time.CreateTimer(_ => RequestProbe(), null, _options.ProbeInterval, _options.ProbeInterval);
        }

        _statistics = TakeStatistics();
        new Thread(Run) { IsBackground = true, Name = "engine" }.Start();
    }

    public int MaxModelLength { get; }

    public int MaxPromptLength => Math.Min(MaxModelLength - 1, _options.MaxPromptTokens ?? int.MaxValue);

    public int VocabSize => _runner.VocabSize;

    /// <summary>Completes when the engine has stopped; faulted when it died of an error, which its requests were told, too.</summary>
    public Task Completion => _completion.Task;

    public TimeSpan Silence => _clock.Silence;

    public EngineStatistics Statistics
    {
        get
        {
            lock (_gate)
            {
                return _statistics with { Waiting = Math.Max(0, _numSequences - _statistics.Running) };
            }
        }
    }

    public IAsyncEnumerable<TokenOutput> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        _validator.Validate(request);
        var constraint = request.Sampling.Constraint is { } wanted ? _constraints.Compile(wanted) : null;
        var requestSeed = CounterRandom.Bits(_seed, Interlocked.Increment(ref _numArrivals));
        var accepted = new ActiveRequest(
            request, constraint, TokenFilter.Compile(request.Sampling, _tokenizer, VocabSize), _tokenizer, _eosTokenIds, MaxModelLength,
            requestSeed, _time);
        Submit(accepted);
        return ReadAsync(accepted, cancellationToken.UnsafeRegister(_ => RequestAbort(accepted), null), cancellationToken);
    }

    public bool Abort(string requestId)
    {
        lock (_gate)
        {
            return _requests.TryGetValue(requestId, out var request) && RequestAbort(request);
        }
    }

    public async Task DrainAsync(TimeSpan timeout)
    {
        lock (_gate)
        {
            _draining = true;
            CompleteIfIdle();
        }

        try
        {
            await _idle.Task.WaitAsync(timeout, _time);
        }
        catch (TimeoutException)
        {
            lock (_gate)
            {
                foreach (var request in _requests.Values)
                {
                    RequestAbort(request);
                }
            }

            await _idle.Task;
        }
    }

    /// <summary>Aborts what runs, stops the thread and disposes the runner.</summary>
    public async ValueTask DisposeAsync()
    {
        await DrainAsync(TimeSpan.Zero);
        lock (_gate)
        {
            _stopping = true;
            Monitor.Pulse(_gate);
        }

        await _completion.Task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_probeTimer is not null)
        {
            await _probeTimer.DisposeAsync();
        }
    }

    private void Submit(ActiveRequest request)
    {
        lock (_gate)
        {
            if (_death is not null)
            {
                throw Unavailable(_death);
            }

            if (_wrongResults.Task is { IsCompletedSuccessfully: true, Result: var deviation })
            {
                throw new EngineUnavailableException($"this worker computes wrong results and takes no new requests: {deviation}");
            }

            if (_draining)
            {
                throw new EngineUnavailableException("the engine is shutting down and takes no new requests");
            }

            if (_numSequences + request.NumUnfinished > _options.MaxNumSeqs + _options.MaxQueue)
            {
                throw new QueueFullException(
                    $"{_numSequences} sequences are running or waiting and the request has {request.NumUnfinished}, more than the engine "
                    + $"takes ({_options.MaxNumSeqs} + a queue of {_options.MaxQueue}); try again later");
            }

            if (!_requests.TryAdd(request.Id, request))
            {
                throw new InvalidRequestException(
                    $"request_id '{request.Id}' belongs to a request that is still running; use another", "request_id");
            }

            _numSequences += request.NumUnfinished;
            _arrivals.Enqueue(request);
            _clock.Begin();
            Monitor.Pulse(_gate);
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
        lock (_gate)
        {
            if (_requests.GetValueOrDefault(request.Id) != request)
            {
                return false;
            }

            _aborts.Enqueue(request);
            Monitor.Pulse(_gate);
            return true;
        }
    }

    private void Run()
    {
        try
        {
            using (_speculator)
            using (_runner)
            {
                FirstProbe();
                while (TakeCommands())
                {
                    if (_scheduler.HasWork)
                    {
                        Step();
                        _clock.Advance();
                    }

                    ProbeIfDue();
                }
            }

            _completion.SetResult();
        }
        catch (Exception exception)
        {
            Die(exception);
        }
    }

    private EngineStatistics TakeStatistics() => new(
        _scheduler.NumRunning,
        _scheduler.NumWaiting,
        (double)_pool.NumUsed / _pool.NumBlocks,
        _scheduler.NumPrefixQueries,
        _scheduler.NumPrefixHits,
        _scheduler.NumPreemptions,
        _numPromptTokens,
        _numGenerationTokens,
        _pool.NumBlocks,
        _pool.BlockSize)
    {
        Speculation = _speculator?.Statistics,
        KnownAnswers = _probe?.Statistics,
    };

    private void CompleteIfIdle()
    {
        if (_draining && _requests.Count == 0)
        {
            _idle.TrySetResult();
        }
    }

    /// <summary>A step failed, so the cache's contents are unknown: every request ends with the reason, and none is taken any
    /// more.</summary>
    private void Die(Exception exception)
    {
        ActiveRequest[] victims;
        lock (_gate)
        {
            _death = exception;
            _clock.Rest();

            // With those that ended just now and whose last outputs have not left.
            victims = [.. _requests.Values.Union(_touched.Select(sequence => sequence.Request))];
        }

        Array.ForEach(victims, request => request.Close(_observer, Unavailable(exception)));
        lock (_gate)
        {
            _requests.Clear();
            _arrivals.Clear();
            _aborts.Clear();
            _idle.TrySetResult();
        }

        _completion.SetException(exception);
    }

    private static EngineUnavailableException Unavailable(Exception exception) =>
        new($"the engine has failed and must be restarted: {exception.Message}", exception);
}
