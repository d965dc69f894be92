namespace Cluster.Worker.Engine;

/// <summary>The KV blocks of one sequence in one group of layers, in token order: token position p lives in block <c>p / blockSize</c> of
/// this table. Grown and cleared by <see cref="SequenceBlocks"/> only.</summary>
/// <remarks>
/// Blocks that the group's layers read no more are given back; places stay what they are:
/// <code>
/// index   0 1 2 3 4 5 6
/// block   0 0 0 9 2 7 4
///               └ First └ Count: 7
/// </code>
/// </remarks>
internal sealed class BlockTable
{
    private int[] _blocks = [];

    /// <summary>The first index that has a block; those before it hold 0.</summary>
    public int First { get; private set; }

    public int Count { get; private set; }

    /// <summary>By index; those before <see cref="First"/> are none.</summary>
    public ReadOnlySpan<int> Blocks => _blocks.AsSpan(0, Count);

    public void Add(int block)
    {
        if (Count == _blocks.Length)
        {
            Array.Resize(ref _blocks, Math.Max(8, 2 * Count));
        }

        _blocks[Count++] = block;
    }

    /// <summary>Begins an empty table at an index.</summary>
    public void Begin(int first)
    {
        while (Count < first)
        {
            Add(0);
        }

        First = first;
    }

    public void Replace(int index, int block) => _blocks[index] = block;

    /// <summary>Takes the block at <see cref="First"/> out.</summary>
    public int RemoveFirst()
    {
        var block = _blocks[First];
        _blocks[First++] = 0;
        return block;
    }

    public int RemoveLast() => _blocks[--Count];

    public void Clear() => First = Count = 0;
}
