using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text;
using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Speculation;

namespace Cluster.Worker.Tests.Serving;

/// <summary>An engine that answers from a script, a token at a time, over <see cref="FakeTokenizer"/>. Repeats its answer when told to
/// ignore end-of-sequence.</summary>
internal sealed class FakeEngine : IEngine
{
    private readonly FakeTokenizer _tokenizer = new();
    private readonly ConcurrentDictionary<string, Running> _running = new();
    private readonly ConcurrentDictionary<string, TaskCompletionSource<FinishReason?>> _endings = new();
    private volatile bool _draining;
    private long _generated;

    /// <summary>What to answer; default: <c>You said: </c> and the prompt without special tokens.</summary>
    public Func<GenerationRequest, string>? Reply { get; init; }

    /// <summary>What each sample of a request answers; default: all the same.</summary>
    public Func<int, string>? ReplyOf { get; init; }

    /// <summary>Says why an output ended.</summary>
    public Func<TokenOutput, TokenOutput> Stop { get; init; } = output => output;

    /// <summary>Awaited before each output, with the number of tokens made so far; tests hold a request here.</summary>
    public Func<int, CancellationToken, Task> BeforeOutput { get; init; } = (_, _) => Task.CompletedTask;

    /// <summary>Awaited before the first output of a request.</summary>
    public Func<GenerationRequest, Task> BeforeReply { get; init; } = _ => Task.CompletedTask;

    /// <summary>Thrown by <see cref="GenerateAsync"/> when set.</summary>
    public Exception? Failure { get; init; }

    public int CachedTokens { get; init; }

    public TimeSpan QueueTime { get; init; }

    public TimeSpan FirstTokenTime { get; init; }

    public int MaxModelLength { get; init; } = 1_000_000;

    public int VocabSize => _tokenizer.VocabSize;

    /// <summary>Every request taken, oldest first.</summary>
    public ConcurrentQueue<GenerationRequest> Requests { get; } = new();

    /// <summary>Tokens handed out over all requests.</summary>
    public long Generated => Interlocked.Read(ref _generated);

    /// <summary>Is told of ended requests; the server's, once the engine is served.</summary>
    public IEngineObserver? Observer { get; set; }

    public TimeProvider Time { get; set; } = TimeProvider.System;

    /// <summary>Answers as fast as it can, as the real engine does: what its reader has not read is merged. Otherwise each output waits to
    /// be read.</summary>
    public bool RunsAhead { get; init; }

    public TimeSpan Silence { get; set; }

    public SpeculationStatistics? Speculation { get; set; }

    public EngineStatistics Statistics => new(_running.Count, 0, 0, 0, 0, 0, 0, Generated, 1024, 16) { Speculation = Speculation };

    /// <summary>How a request ended: its finish reason, or null when its caller left before.</summary>
    public Task<FinishReason?> EndingOf(string requestId) => EndOf(requestId).Task;

    public bool Abort(string requestId)
    {
        if (!_running.TryGetValue(requestId, out var request))
        {
            return false;
        }

        request.Abort.Cancel();
        return true;
    }

    public Task DrainAsync(TimeSpan timeout)
    {
        _draining = true;
        foreach (var id in _running.Keys)
        {
            Abort(id);
        }

        return Task.CompletedTask;
    }

    public IAsyncEnumerable<TokenOutput> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken)
    {
        if (Failure is not null)
        {
            throw Failure;
        }

        if (_draining)
        {
            throw new EngineUnavailableException("the engine is draining");
        }

        Validate(request);
        var entry = new Running();
        if (!_running.TryAdd(request.RequestId, entry))
        {
            throw new InvalidRequestException($"request id '{request.RequestId}' is already running", "request_id");
        }

        Requests.Enqueue(request);
        var outputs = TellAsync(
            RunAsync(request, entry, cancellationToken), new Ending(request, Activity.Current?.Context ?? default, Time),
            cancellationToken);
        return RunsAhead ? RunAhead(outputs, cancellationToken) : outputs;
    }

    private static void Validate(GenerationRequest request)
    {
        var sampling = request.Sampling;
        if (!(sampling.Temperature >= 0))
        {
            throw new InvalidRequestException($"temperature is {sampling.Temperature}; it must not be negative", "temperature");
        }

        if (sampling.TopP is not (> 0 and <= 1))
        {
            throw new InvalidRequestException($"top_p is {sampling.TopP}; it must be above 0 and at most 1", "top_p");
        }

        if (sampling.MaxTokens < (sampling.PromptLogprobs is null ? 1 : 0))
        {
            throw new InvalidRequestException($"max_tokens is {sampling.MaxTokens}; at least 1 is needed", "max_tokens");
        }
    }

    private static IAsyncEnumerable<TokenOutput> RunAhead(IAsyncEnumerable<TokenOutput> outputs, CancellationToken cancellationToken)
    {
        var queue = new OutputQueue();
        _ = Task.Run(
            async () =>
            {
                await foreach (var output in outputs)
                {
                    queue.Add(output);
                }

                queue.End();
            },
            CancellationToken.None);
        return queue.ReadAllAsync(cancellationToken);
    }

    /// <summary>Tells the observer of the end, before the last output is read.</summary>
    private async IAsyncEnumerable<TokenOutput> TellAsync(
        IAsyncEnumerable<TokenOutput> outputs, Ending ending, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var enumerator = outputs.GetAsyncEnumerator(cancellationToken);
        try
        {
            while (await MoveNextAsync())
            {
                ending.Last[enumerator.Current.Index] = enumerator.Current;
                if (ending.Last.All(output => output?.FinishReason is not null))
                {
                    Tell(null);
                }

                yield return enumerator.Current;
            }
        }
        finally
        {
            Tell(null);
        }

        async ValueTask<bool> MoveNextAsync()
        {
            try
            {
                return await enumerator.MoveNextAsync();
            }
            catch (Exception exception)
            {
                Tell(exception is OperationCanceledException ? null : exception);
                throw;
            }
        }

        void Tell(Exception? failure)
        {
            if (!ending.IsTold)
            {
                ending.IsTold = true;
                Observer?.Ended(ending.ToRequest(QueueTime, FirstTokenTime, CachedTokens, failure));
            }
        }
    }

    private async IAsyncEnumerable<TokenOutput> RunAsync(
        GenerationRequest request, Running entry, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        FinishReason? reason = null;
        try
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, entry.Abort.Token);
            await BeforeReply(request);
            for (var sample = 0; sample < request.Sampling.N; sample++)
            {
                await foreach (var output in SampleAsync(request, sample, entry, stop.Token, cancellationToken))
                {
                    reason = output.FinishReason;
                    yield return output with { Index = sample };
                }
            }
        }
        finally
        {
            _running.TryRemove(request.RequestId, out _);
            EndOf(request.RequestId).TrySetResult(reason);
        }
    }

    private async IAsyncEnumerable<TokenOutput> SampleAsync(
        GenerationRequest request, int sample, Running entry, CancellationToken stop,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var reply = ReplyOf?.Invoke(sample)
            ?? Reply?.Invoke(request) ?? $"You said: {_tokenizer.Decode([.. request.PromptTokenIds], skipSpecialTokens: true)}";
        var answer = _tokenizer.Encode(reply, addSpecialTokens: false);
        var limit = Math.Min(request.Sampling.MaxTokens ?? int.MaxValue, MaxModelLength - request.PromptTokenIds.Count);
        var length = request.Sampling.IgnoreEos ? limit : Math.Min(limit, answer.Count);
        var decoder = Encoding.UTF8.GetDecoder();
        if (length == 0)
        {
            yield return Output(request, [], "", 0) with { FinishReason = FinishReason.Length };
        }

        for (var made = 1; made <= length; made++)
        {
            await BeforeOutput(made - 1, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await Task.Yield();
            cancellationToken.ThrowIfCancellationRequested();
            if (entry.Abort.IsCancellationRequested)
            {
                yield return Output(request, [], "", made - 1) with { FinishReason = FinishReason.Abort };
                yield break;
            }

            var id = answer[(made - 1) % answer.Count];
            Interlocked.Increment(ref _generated);
            FinishReason? reason = made < length
                ? null
                : length == answer.Count && !request.Sampling.IgnoreEos ? FinishReason.Stop : FinishReason.Length;
            var output = Output(request, [id], Text(decoder, id, request.Sampling.SkipSpecialTokens), made) with { FinishReason = reason };
            yield return reason is null ? output : Stop(output);
        }
    }

    private static string Text(Decoder decoder, int id, bool skipSpecialTokens)
    {
        var bytes = FakeTokenizer.Bytes(id, skipSpecialTokens);
        var text = new char[decoder.GetCharCount(bytes, flush: false)];
        decoder.GetChars(bytes, text, flush: false);
        return new string(text);
    }

    private static PositionLogprobs Logprobs(int id, float logprob, int top) =>
        new(new TokenLogprob(id, logprob), [.. Enumerable.Range(id, top).Select(near => new TokenLogprob(near, logprob - near + id))]);

    private TokenOutput Output(GenerationRequest request, int[] ids, string text, int made) => new()
    {
        TokenIds = ids,
        Text = text,
        Logprobs = request.Sampling.Logprobs is { } top ? [.. ids.Select(id => Logprobs(id, -0.5f, top))] : null,
        PromptLogprobs = request.Sampling.PromptLogprobs is { } promptTop && made == ids.Length
            ? [.. request.PromptTokenIds.Select(
                (id, position) => position == 0 ? null : new PromptPosition(Logprobs(id, -0.25f, promptTop), 1))]
            : null,
        PromptTokens = request.PromptTokenIds.Count,
        CompletionTokens = made,
        CachedTokens = CachedTokens,
    };

    private TaskCompletionSource<FinishReason?> EndOf(string requestId) =>
        _endings.GetOrAdd(requestId, _ => new TaskCompletionSource<FinishReason?>(TaskCreationOptions.RunContinuationsAsynchronously));

    private sealed class Ending(GenerationRequest request, ActivityContext caller, TimeProvider time)
    {
        private readonly DateTimeOffset _arrival = time.GetUtcNow();
        private readonly long _timestamp = time.GetTimestamp();

        public TokenOutput?[] Last { get; } = new TokenOutput?[request.Sampling.N];

        public bool IsTold { get; set; }

        public EndedRequest ToRequest(TimeSpan queue, TimeSpan firstToken, int cachedTokens, Exception? failure)
        {
            var end = time.GetElapsedTime(_timestamp);
            EndedSequence[] sequences = [
                .. Last.Select(output => new EndedSequence(output?.FinishReason, output?.CompletionTokens ?? 0, end))];
            return new EndedRequest(
                request, caller, _arrival, queue, sequences.Any(sequence => sequence.CompletionTokens > 0) ? firstToken : null, end,
                cachedTokens, sequences, sequences, failure);
        }
    }

    private sealed class Running
    {
        public CancellationTokenSource Abort { get; } = new();
    }
}
