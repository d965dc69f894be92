namespace Cluster.Worker.Compute.Cpu.Attention;

/// <summary>The runs of a step. Kept between calls, so a steady decode allocates nothing. How rows are grouped leaves no trace in the
/// result.</summary>
internal sealed class AttentionItems
{
    private AttentionItem[] _items = [];

    public int Count { get; private set; }

    public ReadOnlySpan<AttentionItem> Span => _items.AsSpan(0, Count);

    /// <param name="queryStarts"><c>[sequences + 1]</c>.</param>
    public void Split(ReadOnlySpan<int> queryStarts, int rowsPerItem)
    {
        Count = 0;
        for (var sequence = 0; sequence < queryStarts.Length - 1; sequence++)
        {
            for (var row = queryStarts[sequence]; row < queryStarts[sequence + 1]; row += rowsPerItem)
            {
                if (Count == _items.Length)
                {
                    Array.Resize(ref _items, Math.Max(64, 2 * Count));
                }

                _items[Count++] = new AttentionItem(sequence, row, Math.Min(rowsPerItem, queryStarts[sequence + 1] - row));
            }
        }
    }

    /// <summary>The most stretches that a run's rows see together.</summary>
    /// <param name="positions"><c>[rows]</c>, ascending in a run.</param>
    public int MostStretches(ReadOnlySpan<int> positions, int window, int chunk)
    {
        var most = 0;
        foreach (var item in Span)
        {
            var first = AttentionStretch.FirstSeen(positions[item.FirstRow], window, chunk) / AttentionStretch.Slots;
            most = Math.Max(most, positions[item.FirstRow + item.Rows - 1] / AttentionStretch.Slots + 1 - first);
        }

        return most;
    }
}
