namespace Cluster.Worker.Engine;

/// <content>Whose turn it is. Both lists keep one order, so that whoever is last in <see cref="Running"/> gives up its blocks
/// first.</content>
internal sealed partial class Scheduler
{
    private long _numArrivals;

    /// <summary>Puts a sequence behind all that come before it.</summary>
    private void Queue(Sequence sequence)
    {
        var before = _waiting.Last;
        while (before is not null && IsBefore(sequence, before.Value))
        {
            before = before.Previous;
        }

        if (before is null)
        {
            _waiting.AddFirst(sequence.QueueNode);
        }
        else
        {
            _waiting.AddAfter(before, sequence.QueueNode);
        }
    }

    /// <summary>Puts a sequence that was running, or comes of one, in front of all that do not come before it.</summary>
    private void QueueAgain(Sequence sequence)
    {
        var behind = _waiting.First;
        while (behind is not null && IsBefore(behind.Value, sequence))
        {
            behind = behind.Next;
        }

        if (behind is null)
        {
            _waiting.AddLast(sequence.QueueNode);
        }
        else
        {
            _waiting.AddBefore(behind, sequence.QueueNode);
        }
    }

    private void Run(Sequence sequence)
    {
        var place = _running.Count;
        while (place > 0 && IsBefore(sequence, _running[place - 1]))
        {
            place--;
        }

        _running.Insert(place, sequence);
    }

    /// <summary>By priority and arrival; without priorities the lists' own order is the order.</summary>
    private bool IsBefore(Sequence sequence, Sequence other) => _policy == SchedulingPolicy.Priority
        && (sequence.Priority, sequence.Arrival).CompareTo((other.Priority, other.Arrival)) < 0;
}
