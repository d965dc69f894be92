using Cluster.Worker.Models.Sources;

namespace Cluster.Worker.Tests.Models.Sources;

/// <summary>A cache in a folder where others can write: names in it can be guessed, and something may be there already. Disks that run
/// full while others use them, too.</summary>
public class HostileCacheTests
{
    public static TheoryData<string> Plants => ["link", "second name"];

    [Theory, MemberData(nameof(Plants))]
    public async Task A_download_never_writes_through_what_was_planted_under_its_name(string planted)
    {
        await using var test = await HubTest.StartAsync();
        using var folder = new TemporaryFolder();
        var victim = folder.Write("victim", "untouched");
        Directory.CreateDirectory(Path.GetDirectoryName(test.PartialPath)!);
        if (planted == "link")
        {
            File.CreateSymbolicLink(test.PartialPath, victim);
        }
        else
        {
            Assert.Equal(0, (await CommandLine.RunAsync("ln", [victim, test.PartialPath])).ExitCode);
        }

        await test.FetchAsync();

        test.AssertWeightsAreWhole();
        Assert.Equal("untouched", File.ReadAllText(victim));
    }

    [Fact]
    public async Task A_lock_makes_no_file_where_a_link_leads()
    {
        using var folder = new TemporaryFolder();
        var (path, target) = (Path.Combine(folder.Path, "x.lock"), Path.Combine(folder.Path, "elsewhere"));
        File.CreateSymbolicLink(path, target);

        using (await CacheLock.AcquireAsync(path, () => { }, Task.Delay, TestContext.Current.CancellationToken))
        {
            Assert.False(File.Exists(target));
            Assert.Null(File.ResolveLinkTarget(path, returnFinalTarget: false));
        }
    }

    [Fact]
    public async Task A_disk_that_fills_in_the_middle_is_no_reason_to_try_again_and_the_part_stays_for_the_next()
    {
        await using var disk = await SmallDisk.MountAsync(8 << 20);
        await using var test = await HubTest.StartAsync(weightBytes: 3 << 20, disk.Path);
        var filled = 0;
        test.OnProgress = report =>
        {
            if (report is { File: HubTest.Weights, FileBytes: > 500_000 } && Interlocked.Exchange(ref filled, 1) == 0)
            {
                disk.Fill(leave: 1 << 20);
            }
        };

        var error = await test.FailAsync();

        Assert.Contains("'model.safetensors' stopped after ", error.Message, StringComparison.Ordinal);
        Assert.Matches(@"the disk is full: [\d.]+ (MiB|bytes) are needed in \S+/blobs, \d+ bytes are free", error.Message);
        Assert.Empty(test.Pauses);
        test.AssertWeightsAreInvisible();
        var part = new FileInfo(test.PartialPath).Length;
        Assert.InRange(part, 1 << 20, (3 << 20) - 1);

        test.OnProgress = _ => { };
        disk.MakeRoom();
        await test.FetchAsync();

        test.AssertWeightsAreWhole();
        Assert.Equal(part, test.RequestsAtStorage[^1].From);
    }
}
