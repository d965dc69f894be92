namespace Cluster.Worker.Compute.Cpu.Gemm;

/// <summary>How the panels of a weight are shared out: runs that halve, as many of each length as there are threads. The first runs are
/// long, so that a thread streams memory without a break; the last are short, so that whoever is late keeps nobody waiting.</summary>
/// <remarks>
/// <code>
/// 20 panels, two threads, at least two a run   │0 … 3│4 … 7│8 9│10 11│12 13│14 15│16 17│18 19│
/// </code>
/// </remarks>
/// <param name="panels">Of the weight.</param>
/// <param name="threads">That share them.</param>
/// <param name="least">Panels of the shortest runs; of all runs a multiple.</param>
internal readonly struct PanelSplit(int panels, int threads, int least)
{
    /// <summary>Runs that the panels make.</summary>
    public int Count
    {
        get
        {
            var count = 0;
            for (var first = 0; first < panels;)
            {
                var length = LengthFrom(first);
                var runs = Math.Min(threads, (panels - first + length - 1) / length);
                count += runs;
                first += runs * length;
            }

            return count;
        }
    }

    public (int First, int End) RangeOf(int run)
    {
        var first = 0;
        while (true)
        {
            var length = LengthFrom(first);
            var runs = Math.Min(threads, (panels - first + length - 1) / length);
            if (run < runs)
            {
                first += run * length;
                return (first, Math.Min(first + length, panels));
            }

            run -= runs;
            first += runs * length;
        }
    }

    /// <summary>Panels of a run of the round that begins with a panel: half of what is left for each thread.</summary>
    private int LengthFrom(int first) => Math.Max(least, (panels - first) / (2 * threads) / least * least);
}
