using System.Collections.Concurrent;
using Cluster.Common.Metrics;
using Cluster.Operator.Controller;

namespace Cluster.Operator.Tests.Controller;

public sealed class WorkQueueTests : IDisposable
{
    private readonly ManualTime _time = new();
    private readonly MetricsRegistry _metrics = new();
    private readonly WorkQueue<string> _queue;

    public WorkQueueTests() => _queue = new WorkQueue<string>("test", _time, _metrics);

    public void Dispose() => _queue.Dispose();

    [Fact]
    public async Task Items_come_out_in_the_order_they_went_in()
    {
        _queue.Add("a");
        _queue.Add("b");
        Assert.Equal("a", await Take());
        Assert.Equal("b", await Take());
    }

    [Fact]
    public async Task An_item_waits_in_the_queue_only_once()
    {
        _queue.Add("a");
        _queue.Add("a");
        _queue.Add("a");
        Assert.Equal(1, _queue.Count);
        Assert.Equal("a", await Take());
        _queue.Done("a");
        Assert.Equal(0, _queue.Count);
    }

    [Fact]
    public async Task An_item_added_while_worked_on_waits_until_that_work_is_done()
    {
        _queue.Add("a");
        Assert.Equal("a", await Take());
        _queue.Add("a");
        _queue.Add("a");
        Assert.Equal(0, _queue.Count);
        _queue.Done("a");
        Assert.Equal(1, _queue.Count);
        Assert.Equal("a", await Take());
    }

    [Fact]
    public async Task Taking_waits_for_an_item()
    {
        var taking = _queue.TakeAsync(CancellationToken.None);
        Assert.False(taking.IsCompleted);
        _queue.Add("late");
        Assert.Equal((true, "late"), await taking);
    }

    [Fact]
    public async Task Taking_can_be_cancelled()
    {
        using CancellationTokenSource cancel = new();
        ValueTask<(bool, string)> taking = _queue.TakeAsync(cancel.Token);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await taking);
        _queue.Add("a");
        Assert.Equal("a", await Take());
    }

    [Fact]
    public void A_delayed_item_appears_when_its_time_has_come()
    {
        _queue.AddAfter("a", TimeSpan.FromSeconds(5));
        _time.Advance(TimeSpan.FromSeconds(4.9));
        Assert.Equal(0, _queue.Count);
        _time.Advance(TimeSpan.FromSeconds(0.2));
        Assert.Equal(1, _queue.Count);
    }

    [Fact]
    public async Task Of_two_delays_for_one_item_the_earlier_counts_and_only_once()
    {
        _queue.AddAfter("a", TimeSpan.FromSeconds(10));
        _queue.AddAfter("a", TimeSpan.FromSeconds(2));
        _queue.AddAfter("a", TimeSpan.FromSeconds(20));
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal("a", await Take());
        _queue.Done("a");
        _time.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal(0, _queue.Count);
    }

    [Fact]
    public void Backoff_doubles_per_item_from_5_ms_to_1000_s_until_forgotten()
    {
        ItemBackoff<string> backoff = new(TimeSpan.FromMilliseconds(5), TimeSpan.FromSeconds(1000));
        Assert.Equal([5, 10, 20, 40], Enumerable.Range(0, 4).Select(_ => (int)backoff.Next("a").TotalMilliseconds));
        Assert.Equal(5, backoff.Next("b").TotalMilliseconds);
        for (var i = 0; i < 2000; i++)
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
        _queue.Add("a");
        _queue.Add("b");
        _queue.ShutDown();
        _queue.Add("too late");
        Assert.Equal("a", await Take());
        Assert.Equal("b", await Take());
        Assert.False((await _queue.TakeAsync(CancellationToken.None)).Taken);
        Assert.False((await _queue.TakeAsync(CancellationToken.None)).Taken);
    }

    [Fact]
    public async Task An_item_dirtied_before_shutdown_is_worked_on_once_more_after_it()
    {
        _queue.Add("a");
        Assert.Equal("a", await Take());
        _queue.Add("a");
        _queue.ShutDown();
        _queue.Done("a");
        Assert.Equal("a", await Take());
        _queue.Done("a");
        Assert.False((await _queue.TakeAsync(CancellationToken.None)).Taken);
    }

    [Fact]
    public void Finishing_what_was_not_taken_is_an_error() =>
        Assert.Throws<InvalidOperationException>(() => _queue.Done("a"));

    [Fact]
    public async Task Many_adders_and_workers_lose_nothing_and_never_share_an_item()
    {
        const int Items = 50;
        const int Rounds = 400;
        var lastSeen = new int[Items];
        var wanted = new int[Items];
        ConcurrentDictionary<int, int> inWork = new();
        using WorkQueue<int> shared = new("shared", TimeProvider.System, _metrics);

        Task[] workers = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            while (await shared.TakeAsync(CancellationToken.None) is (true, var item))
            {
                Assert.True(inWork.TryAdd(item, 0), $"item {item} is worked on twice at once");
                lastSeen[item] = Volatile.Read(ref wanted[item]);
                await Task.Yield();
                inWork.TryRemove(item, out var _);
                shared.Done(item);
            }
        }))];
        await Task.WhenAll(Enumerable.Range(0, 3).Select(seed => Task.Run(() =>
        {
            Random random = new(seed);
            for (var i = 0; i < Rounds; i++)
            {
                var item = random.Next(Items);
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
        _queue.Add("a");
        _queue.Add("b");
        _time.Advance(TimeSpan.FromSeconds(2));
        var item = await Take();
        _time.Advance(TimeSpan.FromSeconds(3));
        var text = _metrics.Render();
        Assert.Contains("workqueue_depth{name=\"test\"} 1\n", text, StringComparison.Ordinal);
        Assert.Contains("workqueue_adds_total{name=\"test\"} 2\n", text, StringComparison.Ordinal);
        Assert.Contains("workqueue_queue_duration_seconds_sum{name=\"test\"} 2\n", text, StringComparison.Ordinal);
        Assert.Contains("workqueue_unfinished_work_seconds{name=\"test\"} 3\n", text, StringComparison.Ordinal);
        _queue.AddRateLimited(item);
        _queue.Done(item);
        text = _metrics.Render();
        Assert.Contains("workqueue_work_duration_seconds_sum{name=\"test\"} 3\n", text, StringComparison.Ordinal);
        Assert.Contains("workqueue_retries_total{name=\"test\"} 1\n", text, StringComparison.Ordinal);
        Assert.Contains("workqueue_unfinished_work_seconds{name=\"test\"} 0\n", text, StringComparison.Ordinal);
    }

    private async Task<string> Take()
    {
        (var taken, var item) = await _queue.TakeAsync(CancellationToken.None);
        Assert.True(taken);
        return item;
    }
}
