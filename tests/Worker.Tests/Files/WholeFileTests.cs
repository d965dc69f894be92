using Cluster.Common.Files;

namespace Cluster.Worker.Tests.Files;

public sealed class WholeFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Named => Path.Combine(_folder.Path, "result.json");

    [Fact]
    public async Task Of_a_full_disk_it_says_what_is_needed_and_leaves_what_was_there()
    {
        await using var disk = await SmallDisk.MountAsync(1 << 20);
        var path = Path.Combine(disk.Path, "result.json");
        await WholeFile.WriteNamedAsync(path, "before", TestContext.Current.CancellationToken);
        disk.Fill(leave: 4096);

        var error = await Assert.ThrowsAsync<IOException>(
            () => WholeFile.WriteNamedAsync(path, new string('x', 300_000), TestContext.Current.CancellationToken));

        Assert.Equal(
            $"cannot write '{path}': the disk is full: 300000 bytes are needed in {disk.Path}, {disk.FreeBytes} bytes are free",
            error.Message);
        Assert.Equal("before", File.ReadAllText(path));
        Assert.Equal(["ballast", "result.json"], Directory.GetFiles(disk.Path).Select(Path.GetFileName).Order());
    }

    [Fact]
    public async Task A_link_that_somebody_named_stays_and_its_file_is_replaced()
    {
        var target = _folder.Write("target", "before");
        File.CreateSymbolicLink(Named, target);

        await WholeFile.WriteNamedAsync(Named, "after", TestContext.Current.CancellationToken);

        Assert.Equal("after", File.ReadAllText(target));
        Assert.Equal(target, File.ResolveLinkTarget(Named, returnFinalTarget: false)!.FullName);
    }

    [Fact]
    public void A_link_under_a_name_of_our_own_is_replaced_and_its_file_stays()
    {
        var victim = _folder.Write("victim", "untouched");
        File.CreateSymbolicLink(Named, victim);

        WholeFile.Write(Named, "after"u8, Permissions.OwnerOnly);

        Assert.Equal("untouched", File.ReadAllText(victim));
        Assert.Equal("after", File.ReadAllText(Named));
        Assert.Equal(Permissions.OwnerOnly, Permissions.Of(Named));
    }

    [Fact]
    public async Task What_is_no_file_is_written_as_it_stands()
    {
        Assert.SkipUnless(Path.Exists("/dev/full"), "there is no /dev/full");
        await WholeFile.WriteNamedAsync("/dev/null", "gone", TestContext.Current.CancellationToken);
        Assert.False(FileStatus.Of("/dev/null") is { IsFile: true });
        var error = await Assert.ThrowsAsync<IOException>(
            () => WholeFile.WriteNamedAsync("/dev/full", "gone", TestContext.Current.CancellationToken));
        Assert.True(DiskFull.Is(error), error.ToString());
    }

    [Fact]
    public async Task A_file_in_a_folder_that_is_not_there_is_named()
    {
        var path = Path.Combine(_folder.Path, "missing", "result.json");
        var error = await Assert.ThrowsAsync<IOException>(
            () => WholeFile.WriteNamedAsync(path, "x", TestContext.Current.CancellationToken));
        Assert.StartsWith($"cannot write '{path}': ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_status_tells_files_links_and_owners_apart()
    {
        var file = _folder.Write("file", "x");
        Permissions.Set(file, Permissions.OwnerOnly);
        var link = Path.Combine(_folder.Path, "link");
        File.CreateSymbolicLink(link, file);
        using var open = File.OpenHandle(link);

        Assert.SkipUnless(OperatingSystem.IsLinux(), "only Linux says");
        Assert.Equal(FileStatus.Of(file), FileStatus.Of(open));
        Assert.True(FileStatus.Of(file) is { IsFile: true, IsFolder: false, IsMine: true, IsTrusted: true, IsPrivate: true, Links: 1 });
        Assert.True(FileStatus.Of(link) is { IsFile: false, IsFolder: false });
        Assert.True(FileStatus.Of(_folder.Path) is { IsFolder: true });
        Assert.Null(FileStatus.Of(Path.Combine(_folder.Path, "nothing")));
    }

    public void Dispose() => _folder.Dispose();
}
