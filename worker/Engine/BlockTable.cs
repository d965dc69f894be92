namespace Cluster.Worker.Engine;

/// <summary>The KV blocks of one sequence in token order: token position p lives in block <c>p / blockSize</c> of this table.
/// Grown and cleared by <see cref="Scheduler"/> only.</summary>
internal sealed class BlockTable
{
    private int[] blocks = [];

    public int Count { get; private set; }

    public ReadOnlySpan<int> Blocks => blocks.AsSpan(0, Count);

    public void Add(int block)
    {
        if (Count == blocks.Length)
        {
            Array.Resize(ref blocks, Math.Max(8, 2 * Count));
        }

        blocks[Count++] = block;
    }

    public void Replace(int index, int block) => blocks[index] = block;

    public int RemoveLast() => blocks[--Count];

    public void Clear() => Count = 0;
}
