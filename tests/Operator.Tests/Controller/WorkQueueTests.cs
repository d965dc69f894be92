using System.Collections.Concurrent;
using Cluster.Common.Metrics;
using Cluster.Operator.Controller;
using Xunit;

namespace Cluster.Operator.Tests.Controller;

public sealed class WorkQueueTests : IDisposable
{
    private readonly ManualTime time = new();
    private readonly MetricsRegistry metrics = new();
    private readonly WorkQueue<string> queue;

    public WorkQueueTests() => queue = new WorkQueue<string>("test", time, metrics);

    public void Dispose() => queue.Dispose();

    [Fact]
    public async Task Items_come_out_in_the_order_they_went_in()
    {
        queue.Add("a");
        queue.Add("b");
        Assert.Equal("a", await Take());
        Assert.Equal("b", await Take());
    }

    [Fact]
    public async Task An_item_waits_in_the_queue_only_once()
    {
        queue.Add("a");
        queue.Add("a");
        queue.Add("a");
        Assert.Equal(1, queue.Count);
        Assert.Equal("a", await Take());
        queue.Done("a");
        Assert.Equal(0, queue.Count);
    }

    [Fact]
    public async Task An_item_added_while_worked_on_waits_until_that_work_is_done()
    {
        queue.Add("a");
        Assert.Equal("a", await Take());
        queue.Add("a");
        queue.Add("a");
        Assert.Equal(0, queue.Count);
        queue.Done("a");
        Assert.Equal(1, queue.Count);
        Assert.Equal("a", await Take());
    }

    [Fact]
    public async Task Taking_waits_for_an_item()
    {
        ValueTask<(bool Taken, string Item)> taking = queue.TakeAsync(CancellationToken.None);
        Assert.False(taking.IsCompleted);
        queue.Add("late");
        Assert.Equal((true, "late"), await taking);
    }

    [Fact]
    public async Task Taking_can_be_cancelled()
    {
        using CancellationTokenSource cancel = new();
        ValueTask<(bool, string)> taking = queue.TakeAsync(cancel.Token);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await taking);
        queue.Add("a");
        Assert.Equal("a", await Take());
    }

    [Fact]
    public void A_delayed_item_appears_when_its_time_has_come()
    {
        queue.AddAfter("a", TimeSpan.FromSeconds(5));
        time.Advance(TimeSpan.FromSeconds(4.9));
        Assert.Equal(0, queue.Count);
        time.Advance(TimeSpan.FromSeconds(0.2));
        Assert.Equal(1, queue.Count);
    }

    [Fact]
    public async Task Of_two_delays_for_one_item_the_earlier_counts_and_only_once()
    {
        queue.AddAfter("a", TimeSpan.FromSeconds(10));
        queue.AddAfter("a", TimeSpan.FromSeconds(2));
        queue.AddAfter("a", TimeSpan.FromSeconds(20));
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal("a", await Take());
        queue.Done("a");
        time.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal(0, queue.Count);
    }

    [Fact]
    public void Backoff_doubles_per_item_from_5_ms_to_1000_s_until_forgotten()
    {
        ItemBackoff<string> backoff = new(TimeSpan.FromMilliseconds(5), TimeSpan.FromSeconds(1000));
        Assert.Equal([5, 10, 20, 40], Enumerable.Range(0, 4).Select(_ => (int)backoff.Next("a").TotalMilliseconds));
        Assert.Equal(5, backoff.Next("b").TotalMilliseconds);
        for (int i = 0; i < 2000; i++)
        {
            backoff.Next("a");
        }

        Assert.Equal(1000, backoff.Next("a").TotalSeconds);
        backoff.Forget("a");
        Assert.Equal(5, backoff.Next("a").TotalMilliseconds);
    }

    [Fact]
    public async Task After_shutdown_what_is_queued_is_still_handed_out_and_then_no_more()
    {
        queue.Add("a");
        queue.Add("b");
        queue.ShutDown();
        queue.Add("too late");
        Assert.Equal("a", await Take());
        Assert.Equal("b", await Take());
        Assert.False((await queue.TakeAsync(CancellationToken.None)).Taken);
        Assert.False((await queue.TakeAsync(CancellationToken.None)).Taken);
    }

    [Fact]
    public async Task An_item_dirtied_before_shutdown_is_worked_on_once_more_after_it()
    {
        queue.Add("a");
        Assert.Equal("a", await Take());
        queue.Add("a");
        queue.ShutDown();
        queue.Done("a");
        Assert.Equal("a", await Take());
        queue.Done("a");
        Assert.False((await queue.TakeAsync(CancellationToken.None)).Taken);
    }

    [Fact]
    public void Finishing_what_was_not_taken_is_an_error() =>
        Assert.Throws<InvalidOperationException>(() => queue.Done("a"));

    [Fact]
    public async Task Many_adders_and_workers_lose_nothing_and_never_share_an_item()
    {
        const int Items = 50;
        const int Rounds = 400;
        int[] lastSeen = new int[Items];
        int[] wanted = new int[Items];
        ConcurrentDictionary<int, int> inWork = new();
        using WorkQueue<int> shared = new("shared", TimeProvider.System, metrics);

        Task[] workers = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            while (await shared.TakeAsync(CancellationToken.None) is (true, var item))
            {
                Assert.True(inWork.TryAdd(item, 0), $"item {item} is worked on twice at once");
                lastSeen[item] = Volatile.Read(ref wanted[item]);
                await Task.Yield();
                inWork.TryRemove(item, out int _);
                shared.Done(item);
            }
        }))];
        await Task.WhenAll(Enumerable.Range(0, 3).Select(seed => Task.Run(() =>
        {
            Random random = new(seed);
            for (int i = 0; i < Rounds; i++)
            {
                int item = random.Next(Items);
                Interlocked.Increment(ref wanted[item]);
                shared.Add(item);
            }
        })));
        shared.ShutDown();
        await Task.WhenAll(workers);

        // The last change of every item was seen by some work that began after it.
        Assert.Equal(wanted, lastSeen);
    }

    /// <summary>A pod may tolerate a lost node for longer than a timer of the system can wait.</summary>
    [Fact]
    public async Task A_delay_longer_than_any_timer_holds_up_nothing_else()
    {
        using WorkQueue<string> real = new("real", TimeProvider.System, new MetricsRegistry());
        real.AddAfter("centuries", TimeSpan.FromDays(36500));
        real.AddAfter("soon", TimeSpan.FromMilliseconds(1));
        Assert.Equal((true, "soon"), await real.TakeAsync(TestContext.Current.CancellationToken));
        real.AddAfter("for ever", TimeSpan.MaxValue);
        real.AddAfter("sooner or later", TimeSpan.FromMilliseconds(1));
        Assert.Equal((true, "sooner or later"), await real.TakeAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Metrics_tell_depth_waits_work_and_retries()
    {
        queue.Add("a");
        queue.Add("b");
        time.Advance(TimeSpan.FromSeconds(2));
        string item = await Take();
        time.Advance(TimeSpan.FromSeconds(3));
        string text = metrics.Render();
        Assert.Contains("workqueue_depth{name=\"test\"} 1\n", text, StringComparison.Ordinal);
        Assert.Contains("workqueue_adds_total{name=\"test\"} 2\n", text, StringComparison.Ordinal);
        Assert.Contains("workqueue_queue_duration_seconds_sum{name=\"test\"} 2\n", text, StringComparison.Ordinal);
        Assert.Contains("workqueue_unfinished_work_seconds{name=\"test\"} 3\n", text, StringComparison.Ordinal);
        queue.AddRateLimited(item);
        queue.Done(item);
        text = metrics.Render();
        Assert.Contains("workqueue_work_duration_seconds_sum{name=\"test\"} 3\n", text, StringComparison.Ordinal);
        Assert.Contains("workqueue_retries_total{name=\"test\"} 1\n", text, StringComparison.Ordinal);
        Assert.Contains("workqueue_unfinished_work_seconds{name=\"test\"} 0\n", text, StringComparison.Ordinal);
    }

    private async Task<string> Take()
    {
        (bool taken, string item) = await queue.TakeAsync(CancellationToken.None);
        Assert.True(taken);
        return item;
    }
}
