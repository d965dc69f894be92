namespace Cluster.Operator.Local.Kubelet;

/// <summary>One line of a container's output.</summary>
internal readonly record struct LogLine(DateTimeOffset Time, string Stream, string Text);

/// <summary>The output of one run of a container, the newest lines of it, in memory. Written by <see cref="ContainerProcess"/>, read by
/// <c>kubectl logs</c>.</summary>
internal sealed class ContainerLog(TimeProvider time)
{
    /// <summary>The kubelet keeps 10 MiB a container; lines are what a reader asks for, so the bound here is in lines.</summary>
    private const int MaxLines = 50_000;

    private const int MaxLineLength = 16 * 1024;

    private readonly Lock _gate = new();
    private readonly Queue<LogLine> _lines = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _dropped;
    private bool _ended;

    public void Append(string stream, string text)
    {
        var line = new LogLine(time.GetUtcNow(), stream, text.Length > MaxLineLength ? text[..MaxLineLength] : text);
        Change(() =>
        {
            _lines.Enqueue(line);
            if (_lines.Count > MaxLines)
            {
                _lines.Dequeue();
                _dropped++;
            }
        });
    }

    /// <summary>No more lines will come; followers finish.</summary>
    public void End() => Change(() => _ended = true);

    /// <summary>Lines from number <paramref name="from"/> on (as many as are kept), the number to go on from, and whether that is all there
    /// will ever be.</summary>
    public (IReadOnlyList<LogLine> Lines, long Next, bool Ended, Task Changed) Read(long from)
    {
        lock (_gate)
        {
            var skip = (int)Math.Clamp(from - _dropped, 0, _lines.Count);
            return ([.. _lines.Skip(skip)], _dropped + _lines.Count, _ended, _changed.Task);
        }
    }

    /// <summary>The last lines as text, for a termination message.</summary>
    public string Tail(int count)
    {
        lock (_gate)
        {
            return string.Join('\n', _lines.TakeLast(count).Select(line => line.Text));
        }
    }

    private void Change(Action change)
    {
        TaskCompletionSource before;
        lock (_gate)
        {
            change();
            before = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        before.SetResult();
    }
}
