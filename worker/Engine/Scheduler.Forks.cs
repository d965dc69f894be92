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

        foreach (var block in origin.BlockTable.Blocks[.._pool.BlocksFor(origin.NumComputedTokens)])
        {
            _pool.Share(block);
            fork.BlockTable.Add(block);
        }

        fork.NumComputedTokens = origin.NumComputedTokens;
        fork.NumRegisteredBlocks = origin.NumRegisteredBlocks;
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
            foreach (var block in origin.BlockTable.Blocks)
            {
                heir.BlockTable.Add(block);
            }

            origin.BlockTable.Clear();
            origin.State = SequenceState.Finished;
            heir.NumComputedTokens = origin.NumComputedTokens;
            heir.NumRegisteredBlocks = origin.NumRegisteredBlocks;
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

    private void CopyBlock(BlockTable table, int index)
    {
        var source = table.Blocks[index];
        var destination = _pool.Allocate();
        table.Replace(index, destination);
        _pool.Release(source);
        BatchPacker.AddBlockCopy(_batch, source, destination);
    }
}
