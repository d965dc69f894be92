namespace Cluster.Worker.Compute.Cpu.Quantized;

/// <summary>How the inputs of <see cref="QuantizedPanels"/> are grouped.</summary>
/// <param name="groupOf">Group of each input.</param>
/// <param name="size">Inputs of a group where groups are consecutive, else 1: how long a group is sure to stay.</param>
/// <param name="first">Place of the first input within its group: a rank's part may begin in the middle of one.</param>
internal readonly unsafe struct PanelGroups(int* groupOf, int size, int first)
{
    public int Of(int k) => groupOf[k];

    /// <summary>The input after <paramref name="k"/> where another group may begin.</summary>
    public int EndOf(int k) => ((k + first) / size + 1) * size - first;

    /// <summary>Size and first of groups that are consecutive and, but for the first and the last, of one size; else (1, 0).</summary>
    public static (int Size, int First) Measure(ReadOnlySpan<int> groupOf)
    {
        var firstRun = RunAt(groupOf, 0);
        var size = Math.Max(firstRun, firstRun < groupOf.Length ? RunAt(groupOf, firstRun) : 0);
        var first = size - firstRun;
        for (var k = 0; k < groupOf.Length; k++)
        {
            if (groupOf[k] != groupOf[0] + ((k + first) / size))
            {
                return (1, 0);
            }
        }

        return (size, first);
    }

    private static int RunAt(ReadOnlySpan<int> groupOf, int k)
    {
        var end = k + 1;
        while (end < groupOf.Length && groupOf[end] == groupOf[k])
        {
            end++;
        }

        return end - k;
    }
}
