namespace Cluster.Operator.Controller;

/// <summary>Exponential delay per item: <paramref name="first"/>, twice that, … up to <paramref name="longest"/>,
/// until the item is forgotten. The numbers of client-go's ItemExponentialFailureRateLimiter.</summary>
internal sealed class ItemBackoff<T>(TimeSpan first, TimeSpan longest)
    where T : notnull
{
    private readonly Dictionary<T, int> _failures = [];
    private readonly Lock _gate = new();

    /// <summary>Delay before the next try; every call counts as one more failure.</summary>
    public TimeSpan Next(T item)
    {
        lock (_gate)
        {
            var count = _failures.GetValueOrDefault(item);
            _failures[item] = count + 1;
            var ticks = first.Ticks * Math.Pow(2, count);
            return ticks >= longest.Ticks ? longest : TimeSpan.FromTicks((long)ticks);
        }
    }

    public int Failures(T item)
    {
        lock (_gate)
        {
            return _failures.GetValueOrDefault(item);
        }
    }

    public void Forget(T item)
    {
        lock (_gate)
        {
            _failures.Remove(item);
        }
    }
}
