namespace Cluster.Operator.Gateway.Admission;

/// <summary>So much a minute, as a bucket that fills evenly and holds a minute's worth. What turns out to cost more than was thought is
/// owed: the bucket may be below zero, and nothing is let through until it has filled again. Safe for threads.</summary>
internal sealed class MinuteBudget
{
    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly double _perSecond;
    private readonly double _most;
    private double _left;
    private long _filledAt;

    public MinuteBudget(int perMinute, TimeProvider time)
    {
        (_time, _perSecond, _most, _left) = (time, perMinute / 60.0, perMinute, perMinute);
        _filledAt = time.GetTimestamp();
    }

    /// <returns>Null when the amount was taken; otherwise when it is worth to ask again.</returns>
    /// <param name="amount">One above a minute's worth passes when the bucket is full.</param>
    public TimeSpan? Take(double amount)
    {
        lock (_gate)
        {
            Fill();
            var missing = Math.Min(amount, _most) - _left;
            if (missing > 0)
            {
                return TimeSpan.FromSeconds(missing / _perSecond);
            }

            _left -= amount;
            return null;
        }
    }

    /// <summary>Takes more, or gives back what is negative, whether or not it is there.</summary>
    public void Spend(double amount)
    {
        lock (_gate)
        {
            Fill();
            _left = Math.Min(_most, _left - amount);
        }
    }

    private void Fill()
    {
        var now = _time.GetTimestamp();
        _left = Math.Min(_most, _left + (_perSecond * _time.GetElapsedTime(_filledAt, now).TotalSeconds));
        _filledAt = now;
    }
}
