namespace Cluster.Operator.Gateway.Routing;

/// <summary>Who waits, in the order in which they are served: start-time fair queueing (Goyal, Vin, Cheng 1996). A flow that has had much
/// lately comes later, however many requests it sends; a flow that was away gets no credit for it. Within a flow the order is that of
/// coming.</summary>
/// <remarks>Not safe for threads. Pure: no clock.</remarks>
internal sealed class FairQueue<T>
    where T : class
{
    private readonly SortedSet<Entry> _entries = new(Comparer<Entry>.Create(Compare));
    private readonly Dictionary<string, double> _finish = new(StringComparer.Ordinal);
    private readonly Dictionary<T, Entry> _of = new(ReferenceEqualityComparer.Instance);
    private double _now;
    private long _sequence;

    public int Count => _entries.Count;

    /// <summary>In the order in which they are to be served.</summary>
    public IEnumerable<T> Items => _entries.Select(entry => entry.Item);

    /// <param name="flow">Whose request it is.</param>
    /// <param name="cost">Tokens that it will take.</param>
    public void Add(string flow, double cost, T item)
    {
        var start = Math.Max(_now, _finish.GetValueOrDefault(flow));
        _finish[flow] = start + cost;
        var entry = new Entry(start, _sequence++, item);
        _entries.Add(entry);
        _of.Add(item, entry);
    }

    /// <summary>Before all others: it has waited its turn already.</summary>
    public void AddFirst(T item)
    {
        var entry = new Entry(double.NegativeInfinity, _sequence++, item);
        _entries.Add(entry);
        _of.Add(item, entry);
    }

    /// <returns>Whether it was there.</returns>
    /// <param name="served">It got what it waited for, and did not leave.</param>
    public bool Remove(T item, bool served)
    {
        if (!_of.Remove(item, out var entry))
        {
            return false;
        }

        _entries.Remove(entry);
        if (served)
        {
            _now = Math.Max(_now, entry.Start);
        }

        if (_entries.Count == 0)
        {
            // Nobody waits: what flows have had before no longer matters.
            _finish.Clear();
            _now = 0;
        }

        return true;
    }

    private static int Compare(Entry left, Entry right)
    {
        var order = left.Start.CompareTo(right.Start);
        return order != 0 ? order : left.Sequence.CompareTo(right.Sequence);
    }

    private sealed record Entry(double Start, long Sequence, T Item);
}
