using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Threading.Tasks.Sources;

namespace Cluster.Worker.Engine;

/// <summary>A request's outputs on their way from the engine's thread to whoever reads them. Nobody waits for a slow reader: what it has
/// not read yet is merged here, where it is produced, into one output per sequence, which costs a few bytes per token. A reader that keeps
/// up gets every output as it is. Filled by <see cref="ActiveRequest"/>; read through <see cref="LlmEngine.GenerateAsync"/>.</summary>
internal sealed class OutputQueue : IValueTaskSource
{
    private readonly Lock _gate = new();
    private readonly Queue<int> _order = new();
    private readonly Dictionary<int, WaitingOutput> _waiting = [];

    // The reader goes on elsewhere: the engine's thread has a step to plan.
    private ManualResetValueTaskSourceCore<bool> _arrival = new() { RunContinuationsAsynchronously = true };
    private bool _readerWaits;
    private bool _ended;
    private Exception? _failure;

    /// <summary>Passes an output on, or merges it with those of its sequence that wait already. Does nothing after the end.</summary>
    public void Add(TokenOutput output)
    {
        bool wake;
        lock (_gate)
        {
            if (_ended)
            {
                return;
            }

            if (_waiting.TryGetValue(output.Index, out var earlier))
            {
                earlier.Add(output);
            }
            else
            {
                _waiting.Add(output.Index, new WaitingOutput(output));
                _order.Enqueue(output.Index);
            }

            wake = TakeReader();
        }

        Wake(wake);
    }

    /// <summary>No output comes any more. The first call counts.</summary>
    /// <param name="failure">What the reader is told after the outputs that wait; null for a plain end.</param>
    public void End(Exception? failure = null)
    {
        bool wake;
        lock (_gate)
        {
            if (_ended)
            {
                return;
            }

            _ended = true;
            _failure = failure;
            wake = TakeReader();
        }

        Wake(wake);
    }

    /// <summary>The outputs as they come, of each sequence in order; those that had to wait longest first. For one reader.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled; told after the outputs that wait.</exception>
    public async IAsyncEnumerable<TokenOutput> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var cancelled = cancellationToken.UnsafeRegister(
            (queue, token) => ((OutputQueue)queue!).End(new OperationCanceledException(token)), this);
        while (true)
        {
            if (TryTake(out var arrival) is { } output)
            {
                yield return output;
            }
            else if (arrival is { } next)
            {
                await next;
            }
            else
            {
                yield break;
            }
        }
    }

    void IValueTaskSource.GetResult(short token) => _arrival.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _arrival.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _arrival.OnCompleted(continuation, state, token, flags);

    /// <summary>The output that has waited longest. Where none waits, null, and when to ask again; null as well at the end.</summary>
    private TokenOutput? TryTake(out ValueTask? arrival)
    {
        lock (_gate)
        {
            arrival = null;
            if (_order.TryDequeue(out var index) && _waiting.Remove(index, out var output))
            {
                return output.Take();
            }

            if (_failure is not null)
            {
                ExceptionDispatchInfo.Throw(_failure);
            }

            if (!_ended)
            {
                _arrival.Reset();
                _readerWaits = true;
                arrival = new ValueTask(this, _arrival.Version);
            }

            return null;
        }
    }

    private bool TakeReader()
    {
        var waits = _readerWaits;
        _readerWaits = false;
        return waits;
    }

    private void Wake(bool reader)
    {
        if (reader)
        {
            _arrival.SetResult(true);
        }
    }

    /// <summary>One output, or several of one sequence that have become one.</summary>
    private sealed class WaitingOutput(TokenOutput first)
    {
        private JoinedOutput? _joined;

        public void Add(TokenOutput next)
        {
            if (_joined is null)
            {
                _joined = new JoinedOutput();
                _joined.Add(first);
            }

            _joined.Add(next);
        }

        public TokenOutput Take() => _joined?.Whole() ?? first;
    }
}
