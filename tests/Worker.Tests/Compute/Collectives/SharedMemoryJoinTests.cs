using System.Diagnostics;
using System.Net.Sockets;
using Cluster.Worker.Compute.Collectives;

namespace Cluster.Worker.Tests.Compute.Collectives;

[Trait(Category.Name, Category.Slow)]
public class SharedMemoryJoinTests
{
    private static readonly SharedMemoryOptions Options = new() { Timeout = HostRanks.Generous, SlotBytes = 4096, Version = "1.2.3+abc" };

    public static TheoryData<string> Differences => ["version", "ranks", "slots"];

    [Theory, MemberData(nameof(Differences))]
    public async Task A_rank_that_differs_is_refused_in_one_line_and_the_others_learn_it(string difference)
    {
        var path = SharedMemoryCommunicator.NewPath();
        var first = JoinAsync(path, 0, 2, Options);
        var (size, options, line) = difference switch
        {
            "version" => (
                2, Options with { Version = "1.2.4+abc" },
                "rank 1 cannot join: rank 0 is version 1.2.3+abc, this rank 1.2.4+abc: all ranks must be the same build"),
            "ranks" => (3, Options, "rank 1 cannot join: rank 0 was started with 2 ranks, this rank with 3"),
            _ => (2, Options with { SlotBytes = 8192 },
                "rank 1 cannot join: rank 0 was started with slots of 4096 bytes, this rank with 8192"),
        };
        Assert.Equal(line, (await Assert.ThrowsAsync<InvalidOperationException>(() => JoinAsync(path, 1, size, options))).Message);
        Assert.Contains(
            "rank 1 has not joined: a rank refused the group", (await Assert.ThrowsAsync<RankLostException>(() => first)).Message);
        Assert.False(File.Exists(path));
    }

    [Fact]
    public async Task The_file_is_for_its_user_only_and_loses_its_name_when_all_have_joined()
    {
        var path = SharedMemoryCommunicator.NewPath();
        var first = JoinAsync(path, 0, 2, Options);
        await Eventually.True(() => File.Exists(path), "rank 0 makes the file");

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, OperatingSystem.IsWindows() ? default : File.GetUnixFileMode(path));
        using var second = await JoinAsync(path, 1, 2, Options);
        using var _ = await first;
        Assert.False(File.Exists(path));
    }

    [Fact]
    public async Task A_group_that_does_not_become_whole_names_who_is_missing_and_leaves_no_file()
    {
        var path = SharedMemoryCommunicator.NewPath();
        var hasty = Options with { Timeout = TimeSpan.FromSeconds(0.1) };
        Assert.Equal(
            "rank 1 has not joined the group within 0.1 s",
            (await Assert.ThrowsAsync<RankLostException>(() => JoinAsync(path, 0, 2, hasty))).Message);
        Assert.False(File.Exists(path));
        Assert.Contains(
            "rank 0 has not made the group's file",
            (await Assert.ThrowsAsync<RankLostException>(() => JoinAsync(path, 1, 2, hasty))).Message);
    }

    [Fact]
    public void What_a_group_killed_while_joining_has_left_is_removed_by_the_next()
    {
        var directory = Directory.CreateTempSubdirectory("ranks-");
        try
        {
            var abandoned = SharedMemoryCommunicator.NewPath(directory.FullName);
            RankFile.Create(abandoned, 2, 1 << 16, Options).Dispose();
            var joining = SharedMemoryCommunicator.NewPath(directory.FullName);
            using var file = RankFile.Create(joining, 2, 1 << 16, Options);
            SharedMemoryCommunicator.Join(SharedMemoryCommunicator.NewPath(directory.FullName), 0, 1, Options).Dispose();
            Assert.Equal([joining], Directory.GetFiles(directory.FullName));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_group_whose_missing_ranks_cannot_come_any_more_is_given_up_at_once()
    {
        var path = SharedMemoryCommunicator.NewPath();
        var forsaken = Options with { Timeout = Timeout.InfiniteTimeSpan, CanJoin = () => false };
        Assert.StartsWith(
            "rank 1 has not joined: a rank refused the group or has ended",
            (await Assert.ThrowsAsync<RankLostException>(() => JoinAsync(path, 0, 2, forsaken))).Message);
        Assert.False(File.Exists(path));
    }

    /// <summary>Every user may write to <c>/dev/shm</c>.</summary>
    [Fact]
    public void What_others_put_beside_the_file_is_neither_waited_for_nor_followed()
    {
        var directory = Directory.CreateTempSubdirectory("ranks-");
        try
        {
            string Named(string name) => Path.Combine(directory.FullName, RankFile.NamePrefix + name);
            var elsewhere = Path.Combine(directory.FullName, "elsewhere");
            RankFile.Create(elsewhere, 2, 1 << 16, Options).Dispose();
            File.CreateSymbolicLink(Named("link"), elsewhere);
            Assert.Equal(0, Command("mkfifo", Named("pipe")));
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Bind(new UnixDomainSocketEndPoint(Named("socket")));
            File.WriteAllText(Named("being-made"), "");
            File.WriteAllText(Named("never-finished"), "");
            File.SetLastWriteTimeUtc(Named("never-finished"), DateTime.UnixEpoch);

            SharedMemoryCommunicator.Join(Named("own"), 0, 1, Options).Dispose();

            Assert.Equal(
                [Named("being-made"), Named("link"), Named("pipe"), Named("socket"), elsewhere],
                Directory.GetFiles(directory.FullName).Order(StringComparer.Ordinal));
            Assert.Throws<IOException>(() => SharedMemoryCommunicator.Join(Named("link"), 1, 2, Options));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    /// <summary>Whoever saw the name before may have put something there; nothing is written through it.</summary>
    [Theory]
    [InlineData("file")]
    [InlineData("link")]
    [InlineData("dangling link")]
    public void Rank_0_takes_no_name_that_is_taken(string planted)
    {
        using var folder = new TemporaryFolder();
        var victim = folder.Write("victim", "untouched");
        var path = Path.Combine(folder.Path, RankFile.NamePrefix + "planted");
        switch (planted)
        {
            case "file":
                File.Copy(victim, path);
                break;
            default:
                File.CreateSymbolicLink(path, planted == "link" ? victim : Path.Combine(folder.Path, "nowhere"));
                break;
        }

        Assert.Throws<IOException>(() => SharedMemoryCommunicator.Join(path, 0, 2, Options));

        Assert.Equal("untouched", File.ReadAllText(victim));
        Assert.False(File.Exists(Path.Combine(folder.Path, "nowhere")));
    }

    [Fact]
    public async Task Two_processes_of_one_rank_are_not_both_taken()
    {
        var path = SharedMemoryCommunicator.NewPath();
        var ranks = new[] { 0, 1, 1 }.Select(rank => JoinAsync(path, rank, 3, Options)).ToArray();
        var failures = await Task.WhenAll(ranks.Select(rank => Assert.ThrowsAnyAsync<Exception>(() => rank)));
        Assert.Single(
            failures,
            failure =>
                failure is IOException && failure.Message.StartsWith("rank 1 has already joined the group", StringComparison.Ordinal));
        Assert.Equal(2, failures.Count(failure => failure is RankLostException));
    }

    [Fact]
    public async Task Too_little_shared_memory_says_what_is_needed_and_what_is_free()
    {
        var path = SharedMemoryCommunicator.NewPath();
        var exception = await Assert.ThrowsAsync<IOException>(() => JoinAsync(path, 0, 2, Options with { FreeBytes = _ => 1000 }));
        Assert.StartsWith("/dev/shm is too small: 2 ranks need 17024 bytes of shared memory, 1000 are free", exception.Message);
        Assert.False(File.Exists(path));
    }

    [Fact]
    public async Task Memory_that_is_gone_between_the_look_and_the_taking_is_an_error_too_and_no_signal()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "mounting a small file system needs root");
        var directory = Directory.CreateTempSubdirectory("ranks-");
        Assert.SkipUnless(
            Command("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", directory.FullName) == 0, "mounting is not allowed here");
        try
        {
            var path = SharedMemoryCommunicator.NewPath(directory.FullName);
            var blind = Options with { SlotBytes = 1 << 20, FreeBytes = _ => long.MaxValue };
            var exception = await Assert.ThrowsAsync<IOException>(() => JoinAsync(path, 0, 2, blind));
            Assert.StartsWith($"{directory.FullName} is too small: 2 ranks need 4194", exception.Message);
            Assert.Empty(directory.GetFiles());
        }
        finally
        {
            Assert.Equal(0, Command("umount", directory.FullName));
            directory.Delete();
        }
    }

    private static Task<SharedMemoryCommunicator> JoinAsync(string path, int rank, int size, SharedMemoryOptions options) =>
        Task.Factory.StartNew(() => SharedMemoryCommunicator.Join(path, rank, size, options), TaskCreationOptions.LongRunning);

    private static int Command(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode;
    }
}
