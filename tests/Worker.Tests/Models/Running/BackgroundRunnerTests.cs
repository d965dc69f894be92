using Cluster.Worker.Models.Running;
using Cluster.Worker.Tests.Engine;

namespace Cluster.Worker.Tests.Models.Running;

public class BackgroundRunnerTests
{
    [Fact(Timeout = 30_000)]
    public async Task Launch_returns_before_the_step_is_computed()
    {
        using var computing = new ManualResetEventSlim();
        using var go = new ManualResetEventSlim();
        var inner = new FakeModelRunner(32, 16, 4, 64)
        {
            OnLaunch = _ =>
            {
                computing.Set();
                go.Wait();
            },
        };
        using var runner = new BackgroundRunner(inner);

        runner.Launch(FakeModelRunner.OneToken);
        computing.Wait();
        Assert.Equal(0, inner.Steps);
        go.Set();
        var expected = new float[32];
        FakeModelRunner.Logits([7], expected);

        Assert.Equal(expected, await Task.Run(() => runner.WaitForLogits().ToArray()));
        Assert.Equal(1, inner.Steps);
    }

    [Fact]
    public void Steps_follow_each_other_at_any_pace()
    {
        var inner = new FakeModelRunner(32, 16, 4, 64);
        using var runner = new BackgroundRunner(inner);
        for (var step = 0; step < 200; step++)
        {
            // Long enough, now and then, for the other thread to go to sleep.
            Thread.SpinWait(step % 20 == 0 ? 100_000 : step);
            runner.Launch(FakeModelRunner.OneToken);
            Assert.Equal(32, runner.WaitForLogits().Length);
        }

        Assert.Equal(200, inner.Steps);
    }

    [Fact(Timeout = 30_000)]
    public async Task What_goes_wrong_in_a_step_is_thrown_where_it_is_waited_for()
    {
        var inner = new FakeModelRunner(32, 16, 4, 64) { OnLaunch = _ => throw new InvalidDataException("lost the device") };
        using var runner = new BackgroundRunner(inner);

        runner.Launch(FakeModelRunner.OneToken);

        var error = await Assert.ThrowsAsync<InvalidDataException>(() => Task.Run(() => runner.WaitForLogits().Length));
        Assert.Equal("lost the device", error.Message);
    }

    [Fact(Timeout = 30_000)]
    public async Task Disposal_waits_for_the_step_and_disposes_the_runner()
    {
        using var go = new ManualResetEventSlim();
        var inner = new FakeModelRunner(32, 16, 4, 64) { OnLaunch = _ => go.Wait() };
        var runner = new BackgroundRunner(inner);
        runner.Launch(FakeModelRunner.OneToken);
        var disposal = Task.Run(runner.Dispose, TestContext.Current.CancellationToken);
        go.Set();
        await disposal;

        Assert.Equal((1, true), (inner.Steps, inner.IsDisposed));
    }
}
