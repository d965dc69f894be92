using Cluster.Worker.Compute.Ilgpu.Compile;

namespace Cluster.Worker.Tests.Compute.Ilgpu;

public sealed class KernelCacheTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private int _made;

    [Fact]
    public void What_was_made_once_is_read_the_next_time_also_by_another_process()
    {
        Assert.Equal([1], Get("a", "b"));
        Assert.Equal([1], Get("a", "b"));
        Assert.Equal([2], Get("ab", ""));
        Assert.Equal([3], Get("a", "b", extension: ".cl"));
    }

    [Fact]
    public void A_damaged_or_shortened_file_is_made_anew()
    {
        _ = Get("a");
        var file = Directory.GetFiles(_folder.Path).Single();
        var bytes = File.ReadAllBytes(file);
        bytes[^1] ^= 1;
        File.WriteAllBytes(file, bytes);
        Assert.Equal([2], Get("a"));
        File.WriteAllBytes(file, bytes[..7]);
        Assert.Equal([3], Get("a"));
    }

    [Fact]
    public void What_a_driver_did_not_take_is_forgotten()
    {
        _ = Get("a");
        new KernelCache(_folder.Path).Remove(".bin", ["a", ""]);

        Assert.Equal([2], Get("a"));
    }

    [Fact]
    public void Without_a_folder_or_with_one_that_cannot_be_written_everything_is_made_each_time()
    {
        var file = Path.Combine(_folder.Path, "file");
        File.WriteAllText(file, "in the way");
        Assert.All<string?>([null, Path.Combine(file, "below")], folder =>
        {
            var cache = new KernelCache(folder);
            var made = 0;
            _ = cache.GetOrMake(".bin", ["a"], () => [(byte)++made]);
            Assert.Equal([2], cache.GetOrMake(".bin", ["a"], () => [(byte)++made]));
        });
    }

    /// <summary>What is read from here is run on the device.</summary>
    [Theory]
    [InlineData("writable by all")]
    [InlineData("writable by the group")]
    [InlineData("of another user")]
    [InlineData("another kernel's")]
    [InlineData("a link to another kernel's")]
    public async Task A_file_that_somebody_else_can_have_planted_is_made_anew(string planted)
    {
        _ = Get("a");
        var file = Directory.GetFiles(_folder.Path).Single();
        switch (planted)
        {
            case "writable by all":
                Permissions.Set(file, Permissions.OwnerOnly | UnixFileMode.OtherWrite);
                break;
            case "writable by the group":
                Permissions.Set(file, Permissions.OwnerOnly | UnixFileMode.GroupWrite);
                break;
            case "of another user":
                Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root can give a file away");
                Assert.Equal(0, (await CommandLine.RunAsync("chown", ["65534", file])).ExitCode);
                break;
            default:
                _ = Get("b");
                var other = Directory.GetFiles(_folder.Path).Single(path => path != file);
                File.Delete(file);
                if (planted == "another kernel's")
                {
                    File.Copy(other, file);
                }
                else
                {
                    File.CreateSymbolicLink(file, other);
                }

                break;
        }

        var next = (byte)(_made + 1);
        Assert.Equal([next], Get("a"));
        Assert.Equal([next], Get("a"));
        Assert.Equal(Permissions.OwnerOnly, Permissions.Of(file));
        Assert.Null(File.ResolveLinkTarget(file, returnFinalTarget: false));
    }

    [Fact]
    public void The_folder_is_for_its_user_only()
    {
        var folder = Path.Combine(_folder.Path, "cluster", "kernels");
        _ = new KernelCache(folder).GetOrMake(".bin", ["a"], () => [1]);

        Assert.Equal(Permissions.OwnerOnly | UnixFileMode.UserExecute, Permissions.Of(folder));
    }

    [Fact]
    public async Task A_full_disk_costs_the_compilation_and_leaves_no_half_files()
    {
        await using var disk = await SmallDisk.MountAsync(1 << 20);
        disk.Fill(leave: 8192);
        var cache = new KernelCache(disk.Path);
        var before = Directory.GetFileSystemEntries(disk.Path);

        Assert.Equal(100_000, cache.GetOrMake(".bin", ["a"], () => new byte[100_000]).Length);

        Assert.Equal(before, Directory.GetFileSystemEntries(disk.Path));
        disk.MakeRoom();
        Assert.Equal(100_000, cache.GetOrMake(".bin", ["a"], () => new byte[100_000]).Length);
        Assert.Equal(100_000, cache.GetOrMake(".bin", ["a"], () => []).Length);
    }

    public void Dispose() => _folder.Dispose();

    private byte[] Get(string first, string second = "", string extension = ".bin") =>
        new KernelCache(_folder.Path).GetOrMake(extension, [first, second], () => [(byte)++_made]);
}
