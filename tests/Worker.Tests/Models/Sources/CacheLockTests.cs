using System.Diagnostics;
using Cluster.Worker.Models.Sources;

namespace Cluster.Worker.Tests.Models.Sources;

[Trait(Category.Name, Category.Slow)]
public class CacheLockTests
{
    private const string FlockProgram = "/usr/bin/flock";

    [Fact]
    public async Task A_second_holder_waits_until_the_first_is_done()
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Path, ".locks", "models--a--b", "x.lock");
        var waiting = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var first = await AcquireAsync(path);

        var second = CacheLock.AcquireAsync(
            path, waiting.SetResult, (_, cancellation) => Task.Delay(1, cancellation), TestContext.Current.CancellationToken);
        await waiting.Task.WaitAsync(TestContext.Current.CancellationToken);
        Assert.False(second.IsCompleted);
        first.Dispose();

        using var held = await second;
        Assert.True(File.Exists(path));
    }

    [Fact]
    public async Task Waiting_can_be_cancelled()
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Path, "x.lock");
        using var first = await AcquireAsync(path);
        using var cancel = new CancellationTokenSource();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => CacheLock.AcquireAsync(path, cancel.Cancel, (_, cancellation) => Task.Delay(1, cancellation), cancel.Token));
    }

    [Fact]
    public async Task Other_programs_see_the_lock_as_an_flock()
    {
        Assert.SkipUnless(File.Exists(FlockProgram), $"there is no {FlockProgram}");
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Path, "x.lock");

        var held = await AcquireAsync(path);
        Assert.Equal(1, await FlockAsync(path));
        held.Dispose();
        Assert.Equal(0, await FlockAsync(path));
    }

    private static Task<CacheLock> AcquireAsync(string path) =>
        CacheLock.AcquireAsync(path, () => { }, (_, cancellation) => Task.Delay(1, cancellation), TestContext.Current.CancellationToken);

    /// <returns>0 if the lock could be taken, 1 if somebody has it.</returns>
    private static async Task<int> FlockAsync(string path)
    {
        using var process = Process.Start(FlockProgram, ["--exclusive", "--nonblock", path, "true"]);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return process.ExitCode;
    }
}
