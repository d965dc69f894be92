namespace Cluster.Worker.Engine;

/// <summary>The KV blocks of one sequence in token order: token position p lives in block <c>p / blockSize</c> of this table.
/// Grown and cleared by <see cref="Scheduler"/> only.</summary>
internal sealed class BlockTable
{
    private int[] _blocks = [];

    public int Count { get; private set; }

    public ReadOnlySpan<int> Blocks => _blocks.AsSpan(0, Count);

    public void Add(int block)
    {
        if (Count == _blocks.Length)
        {
            Array.Resize(ref _blocks, Math.Max(8, 2 * Count));
        }

        _blocks[Count++] = block;
    }

    public void Replace(int index, int block) => _blocks[index] = block;

    public int RemoveLast() => _blocks[--Count];

    public void Clear() => Count = 0;
}
