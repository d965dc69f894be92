namespace Cluster.Worker.Compute.Profiling;

/// <summary>What steps consist of. Told by whoever launches steps what each one is, and by <see cref="ProfilingBackend"/> what it did; read
/// when nothing runs.</summary>
internal sealed class OperationProfile
{
    private int[] _contexts = [];
    private int[] _queries = [];
    private StepProfile? _current;

    /// <summary>Steps with a part of a prompt.</summary>
    public StepProfile Prefill { get; } = new();

    /// <summary>Steps that only decode.</summary>
    public StepProfile Decode { get; } = new();

    /// <summary>Forgets everything, such as what warmed up.</summary>
    public void Reset()
    {
        _current = null;
        Prefill.Clear();
        Decode.Clear();
    }

    /// <param name="queryStarts">As in a step's batch: one more than sequences.</param>
    /// <param name="contextLengths">Tokens in cache after the step, of each sequence.</param>
    public void Begin(ReadOnlySpan<int> queryStarts, ReadOnlySpan<int> contextLengths)
    {
        _contexts = contextLengths.ToArray();
        _queries = new int[contextLengths.Length];
        for (var i = 0; i < _queries.Length; i++)
        {
            _queries[i] = queryStarts[i + 1] - queryStarts[i];
        }

        _current = _queries.Max() == 1 ? Decode : Prefill;
        _current.Begin(queryStarts[^1]);
    }

    /// <summary>Does nothing outside of a step.</summary>
    public void Add(string operation, OperationTotals one) => _current?.Add(operation, one);

    /// <summary>Keys that the step's sequences read, each once, and pairs of a query and a key.</summary>
    /// <param name="window">How far back a layer looks; 0 for all the way.</param>
    public (long Read, long Pairs) Keys(int window)
    {
        long read = 0, pairs = 0;
        for (var i = 0; i < _contexts.Length; i++)
        {
            var (context, query) = ((long)_contexts[i], (long)_queries[i]);
            read += window > 0 ? Math.Min(context, window + query - 1) : context;

            // Query j of the sequence sees the keys up to its own: an arithmetic series, cut off by the window.
            var first = context - query + 1;
            var whole = window > 0 ? Math.Clamp(window - first, 0, query) : query;
            pairs += whole * first + whole * (whole - 1) / 2 + (query - whole) * window;
        }

        return (read, pairs);
    }
}
