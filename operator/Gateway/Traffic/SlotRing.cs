namespace Cluster.Operator.Gateway.Traffic;

/// <summary>The latest slots of a series, each under its number. A slot that nobody wrote is not there.</summary>
/// <param name="length">How many are kept.</param>
internal sealed class SlotRing<T>(int length)
    where T : class, new()
{
    private readonly (long Number, T? Slot)[] _slots = new (long, T?)[length];

    /// <summary>The latest slot that was written.</summary>
    public long Latest { get; private set; } = -1;

    /// <summary>The slot to write into; one of an earlier time in its place is forgotten.</summary>
    public T At(long number)
    {
        ref var place = ref _slots[number % length];
        if (place.Slot is null || place.Number != number)
        {
            place = (number, new T());
            Latest = Math.Max(Latest, number);
        }

        return place.Slot!;
    }

    public T? Find(long number)
    {
        var (found, slot) = _slots[number % length];
        return slot is not null && found == number ? slot : null;
    }
}
