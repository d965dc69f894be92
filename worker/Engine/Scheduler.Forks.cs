namespace Cluster.Worker.Engine;

/// <content>Sequences that start where others are, on the same blocks.</content>
internal sealed partial class Scheduler
{
    /// <summary>Lets a fork start where its origin is, on the same blocks. It comes next in age after its origin; where no further sequence
    /// may run it waits, first in line, to be computed again like a preempted one. Between two steps only.</summary>
    /// <param name="fork">Made by <see cref="Sequence.Fork"/> of tokens all of which the origin has computed.</param>
    public void Fork(Sequence origin, Sequence fork)
    {
        if (origin.State != SequenceState.Running || _running.Count >= _maxNumSeqs)
        {
            QueueAgain(fork);
            return;
        }

        _blocks.Fork(origin, fork);
        fork.State = SequenceState.Running;
        _running.Insert(_running.IndexOf(origin) + 1, fork);
    }

    /// <summary>Lets sequences go on in place of one they were forked from; none ends it. The first takes over its blocks and its age.
    /// Between two steps only.</summary>
    /// <param name="heirs">Each has one token more than the origin, all of whose tokens are computed.</param>
    public void Replace(Sequence origin, ReadOnlySpan<Sequence> heirs)
    {
        if (heirs.Length > 0 && origin.State == SequenceState.Running)
        {
            var heir = heirs[0];
            SequenceBlocks.Move(origin, heir);
            origin.State = SequenceState.Finished;
            heir.State = SequenceState.Running;
            _running[_running.IndexOf(origin)] = heir;
            for (var i = heirs.Length - 1; i > 0; i--)
            {
                Fork(heir, heirs[i]);
            }

            return;
        }

        Finish(origin);
        for (var i = heirs.Length - 1; i >= 0; i--)
        {
            QueueAgain(heirs[i]);
        }
    }
}
