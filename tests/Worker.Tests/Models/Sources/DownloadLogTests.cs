using Cluster.Worker.Models.Sources;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Tests.Models.Sources;

public class DownloadLogTests
{
    private const long Total = 1000 << 20;

    [Fact]
    public void A_long_download_is_ten_lines()
    {
        var lines = new List<string>();
        var log = new DownloadLog("org/name", lines.Add);

        for (var percent = 0; percent <= 100; percent++)
        {
            log.Report(new HubProgress("model.safetensors", Total / 100 * percent, Total, Total / 100 * percent, Total, percent / 100, 1));
        }

        Assert.Equal(10, lines.Count);
        Assert.Equal("downloading org/name: 10 % of 1000.0 MiB, 0 of 1 files", lines[0]);
        Assert.Equal("downloading org/name: 100 % of 1000.0 MiB, 1 of 1 files", lines[^1]);
    }

    [Fact]
    public void Files_that_are_in_the_cache_are_no_news()
    {
        var lines = new List<string>();
        var log = new DownloadLog("org/name", lines.Add);

        log.Report(new HubProgress("config.json", 5, 5, 5, 10, 1, 2));
        log.Report(new HubProgress("model.safetensors", 5, 5, 10, 10, 2, 2));

        Assert.Empty(lines);
    }
}
