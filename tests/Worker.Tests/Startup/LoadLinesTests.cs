using Cluster.Worker.Models.Layers;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Tests.Startup;

public sealed class LoadLinesTests
{
    [Fact]
    public void A_long_load_says_every_five_seconds_how_far_and_how_fast_it_is()
    {
        var time = new ManualTime();
        var lines = new List<string>();
        var load = new LoadLines(lines.Add, time);
        for (var second = 0; second <= 12; second++)
        {
            load.Report(new LoadProgress(second * (1L << 30), 16L << 30, "t"));
            time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(["loading weights: 31 % of 16.0 GiB, 1.07 GB/s", "loading weights: 62 % of 16.0 GiB, 1.07 GB/s"], lines);
    }

    [Fact]
    public void A_short_one_says_nothing()
    {
        var lines = new List<string>();
        var load = new LoadLines(lines.Add, new ManualTime());
        load.Report(new LoadProgress(0, 0, "t"));
        load.Report(new LoadProgress(100, 100, "t"));
        Assert.Empty(lines);
    }
}
