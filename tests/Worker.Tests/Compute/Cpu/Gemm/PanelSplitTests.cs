using Cluster.Worker.Compute.Cpu.Gemm;

namespace Cluster.Worker.Tests.Compute.Cpu.Gemm;

public class PanelSplitTests
{
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(1, 2, 2)]
    [InlineData(18, 2, 1)]
    [InlineData(19, 2, 2)]
    [InlineData(96, 2, 2)]
    [InlineData(1536, 3, 4)]
    [InlineData(5, 16, 2)]
    public void Every_panel_is_in_one_run_and_runs_follow_each_other(int panels, int threads, int least)
    {
        var split = new PanelSplit(panels, threads, least);
        var next = 0;
        for (var run = 0; run < split.Count; run++)
        {
            var (first, end) = split.RangeOf(run);
            Assert.Equal(next, first);
            Assert.True(end == panels || (end - first) % least == 0, $"{first} to {end}");
            Assert.True(end > first);
            next = end;
        }

        Assert.Equal(panels, next);
    }

    [Fact]
    public void Runs_begin_long_and_end_short()
    {
        var split = new PanelSplit(96, threads: 2, least: 1);
        var lengths = Enumerable.Range(0, split.Count).Select(split.RangeOf).Select(range => range.End - range.First).ToList();

        Assert.Equal([24, 24, 12, 12, 6, 6, 3, 3], lengths[..8]);
        Assert.Equal(1, lengths[^1]);
        Assert.Equal(lengths, lengths.OrderDescending());
    }
}
