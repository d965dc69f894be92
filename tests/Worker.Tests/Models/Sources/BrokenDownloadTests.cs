using Cluster.Worker.Models.Sources;
using Microsoft.AspNetCore.Http;

namespace Cluster.Worker.Tests.Models.Sources;

/// <summary>A network and servers that do not behave.</summary>
public class BrokenDownloadTests
{
    [Fact]
    public async Task A_connection_cut_in_the_middle_is_continued_where_it_broke()
    {
        await using var test = await HubTest.StartAsync();
        test.InterfereWithWeights(
            (request, context) => FakeHub.CutAsync(context, request, test.WeightBytes, 100_000),
            (request, context) => FakeHub.CutAsync(context, request, test.WeightBytes, 50_000));

        await test.FetchAsync();

        test.AssertWeightsAreWhole();
        Assert.Equal([null, 100_000, 150_000], test.RequestsAtStorage.Select(request => request.From));
        Assert.Equal(2, test.Pauses.Count);
    }

    [Fact]
    public async Task A_connection_that_is_reset_is_made_again()
    {
        await using var test = await HubTest.StartAsync();
        test.InterfereWithWeights(async (_, context) =>
        {
            context.Response.ContentLength = test.WeightBytes.Length;
            await context.Response.Body.WriteAsync(test.WeightBytes.AsMemory(0, 100_000));
            await context.Response.Body.FlushAsync();
            context.Abort();
        });

        await test.FetchAsync();

        test.AssertWeightsAreWhole();
    }

    [Fact]
    public async Task A_server_that_ignores_ranges_is_read_from_the_start()
    {
        await using var test = await HubTest.StartAsync();
        test.Hub.SupportsRanges = false;
        test.InterfereWithWeights((request, context) => FakeHub.CutAsync(context, request, test.WeightBytes, 100_000));

        await test.FetchAsync();

        test.AssertWeightsAreWhole();
        Assert.Equal([null, 100_000], test.RequestsAtStorage.Select(request => request.From));
    }

    [Fact]
    public async Task A_later_run_continues_what_an_earlier_one_left()
    {
        await using var test = await HubTest.StartAsync();
        test.InterfereWithWeights(
            [.. Enumerable.Repeat<Func<FakeHubRequest, HttpContext, Task>>(
                (request, context) => FakeHub.CutAsync(context, request, test.WeightBytes, 10_000), 6)]);
        var error = await test.FailAsync();
        Assert.Contains("given up after 6 attempts", error.Message, StringComparison.Ordinal);
        Assert.Contains(HubTest.WeightsAddress, error.Message, StringComparison.Ordinal);
        test.AssertWeightsAreInvisible();
        Assert.Equal(60_000, new FileInfo(test.PartialPath).Length);

        await test.FetchAsync();

        test.AssertWeightsAreWhole();
        Assert.Equal(60_000, test.RequestsAtStorage[^1].From);
        Assert.False(File.Exists(test.PartialPath));
    }

    [Fact]
    public async Task Attempts_that_bring_much_are_not_counted()
    {
        await using var test = await HubTest.StartAsync();
        test.InterfereWithWeights(
            [.. Enumerable.Repeat<Func<FakeHubRequest, HttpContext, Task>>(
                (request, context) => FakeHub.CutAsync(context, request, test.WeightBytes, 20_000), 14)]);

        await test.FetchAsync(options: new HubOptions { MaxRetries = 1, ProgressBytes = 20_000 });

        test.AssertWeightsAreWhole();
    }

    [Fact]
    public async Task Pauses_between_attempts_double()
    {
        await using var test = await HubTest.StartAsync();
        test.InterfereWithWeights([.. Enumerable.Repeat<Func<FakeHubRequest, HttpContext, Task>>((_, context) => Answer(context, 503), 4)]);

        await test.FetchAsync();

        var seconds = test.Pauses.Select(pause => pause.TotalSeconds).ToArray();
        Assert.Equal(4, seconds.Length);
        Assert.All(seconds.Index(), pause => Assert.InRange(pause.Item, 0.5 * Math.Pow(2, pause.Index), 1.5 * Math.Pow(2, pause.Index)));
    }

    [Fact]
    public async Task A_rate_limit_is_waited_out_as_the_hub_asks_within_bounds()
    {
        await using var test = await HubTest.StartAsync();
        test.InterfereWithWeights();
        // The hub's clock is an hour behind: a date of its is worth what its own Date makes of it.
        var there = DateTimeOffset.UtcNow.AddHours(-1);
        var answers = new Queue<string>(["17", "86400", there.AddSeconds(11).ToString("R")]);
        test.Hub.Interfere = async (request, context) =>
        {
            if (!request.IsListing || !answers.TryDequeue(out var seconds))
            {
                return false;
            }

            context.Response.Headers.RetryAfter = seconds;
            context.Response.Headers.Date = there.ToString("R");
            await Answer(context, 429);
            return true;
        };

        await test.FetchAsync();

        Assert.Equal([TimeSpan.FromSeconds(17), new HubOptions().MaxRetryDelay, TimeSpan.FromSeconds(11)], test.Pauses);
        Assert.Contains(test.Log, line => line.Contains("limits the rate of requests (429)", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_connection_that_brings_nothing_for_a_while_is_given_up_and_continued()
    {
        await using var test = await HubTest.StartAsync();
        var time = new ManualTime();
        using var ended = new CancellationTokenSource();
        test.InterfereWithWeights(async (_, context) =>
        {
            context.Response.ContentLength = test.WeightBytes.Length;
            await context.Response.Body.WriteAsync(test.WeightBytes.AsMemory(0, 70_000));
            await context.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite, CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, ended.Token).Token)
                .ContinueWith(_ => { }, TaskScheduler.Default);
        });
        var stalled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        test.OnProgress = report =>
        {
            if (report is { File: HubTest.Weights, FileBytes: 70_000 })
            {
                stalled.TrySetResult();
            }
        };

        var fetching = test.FetchAsync(time: time);
        await stalled.Task.WaitAsync(TestContext.Current.CancellationToken);
        time.Advance(TimeSpan.FromSeconds(31));
        await fetching;

        test.AssertWeightsAreWhole();
        Assert.Equal(70_000, test.RequestsAtStorage[^1].From);
        Assert.Contains(test.Log, line => line.Contains("no data arrived for 30 s", StringComparison.Ordinal));
        await ended.CancelAsync();
    }

    [Fact]
    public async Task A_cancelled_download_stops_and_leaves_its_part_for_the_next()
    {
        await using var test = await HubTest.StartAsync();
        using var cancel = new CancellationTokenSource();
        test.InterfereWithWeights(async (_, context) =>
        {
            context.Response.ContentLength = test.WeightBytes.Length;
            await context.Response.Body.WriteAsync(test.WeightBytes.AsMemory(0, 70_000));
            await context.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
        });
        test.OnProgress = report =>
        {
            if (report is { File: HubTest.Weights, FileBytes: 70_000 })
            {
                cancel.Cancel();
            }
        };

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => test.Store().FetchAsync(HubTest.Model, test, cancel.Token));

        test.AssertWeightsAreInvisible();
        Assert.Equal(70_000, new FileInfo(test.PartialPath).Length);
    }

    [Fact]
    public async Task A_corrupted_file_is_thrown_away_and_downloaded_once_more()
    {
        await using var test = await HubTest.StartAsync();
        test.InterfereWithWeights((_, context) => test.Hub.SendAsync(context, Corrupted(test.WeightBytes)));

        await test.FetchAsync();

        test.AssertWeightsAreWhole();
        Assert.Equal([null, null], test.RequestsAtStorage.Select(request => request.From));
        Assert.Contains(test.Log, line => line.Contains("SHA-256", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_file_that_is_corrupted_twice_is_an_error_and_stays_invisible()
    {
        await using var test = await HubTest.StartAsync();
        test.InterfereWithWeights(
            (_, context) => test.Hub.SendAsync(context, Corrupted(test.WeightBytes)),
            (_, context) => test.Hub.SendAsync(context, Corrupted(test.WeightBytes)));

        var error = await Assert.ThrowsAsync<HubFormatException>(() => test.FetchAsync());

        Assert.Contains(HubTest.WeightsAddress, error.Origin, StringComparison.Ordinal);
        Assert.Contains($"the hub lists {FakeHub.HashOf(test.WeightBytes, large: true)}", error.Message, StringComparison.Ordinal);
        test.AssertWeightsAreInvisible();
        Assert.False(File.Exists(test.PartialPath));
    }

    [Fact]
    public async Task A_corrupted_part_of_an_earlier_run_heals()
    {
        await using var test = await HubTest.StartAsync();
        Directory.CreateDirectory(Path.GetDirectoryName(test.PartialPath)!);
        File.WriteAllBytes(test.PartialPath, new byte[120_000]);

        await test.FetchAsync();

        test.AssertWeightsAreWhole();
        Assert.Equal([120_000, null], test.RequestsAtStorage.Select(request => request.From));
    }

    [Theory]
    [InlineData(300_000)]
    [InlineData(300_001)]
    public async Task A_part_that_is_as_long_as_the_file_or_longer_is_checked_like_any_other(int bytes)
    {
        await using var test = await HubTest.StartAsync();
        Directory.CreateDirectory(Path.GetDirectoryName(test.PartialPath)!);
        File.WriteAllBytes(test.PartialPath, [.. test.WeightBytes, .. new byte[bytes - test.WeightBytes.Length]]);

        await test.FetchAsync();

        test.AssertWeightsAreWhole();
        Assert.Equal(bytes == 300_000 ? 0 : 1, test.RequestsAtStorage.Count);
    }

    [Fact]
    public async Task A_corrupted_small_file_is_noticed_by_its_git_hash()
    {
        await using var test = await HubTest.StartAsync();
        test.Hub.Interfere = async (request, context) =>
        {
            if (!request.Target.EndsWith("/config.json", StringComparison.Ordinal))
            {
                return false;
            }

            await test.Hub.SendAsync(context, "{\"model_type\": \"lla_a\"}"u8.ToArray());
            return true;
        };

        var error = await Assert.ThrowsAsync<HubFormatException>(() => test.FetchAsync());

        Assert.Contains("config.json: the content's git blob SHA-1 is", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    [InlineData(1_000_000)]
    public async Task A_file_of_another_size_is_refused(int difference)
    {
        await using var test = await HubTest.StartAsync();
        test.InterfereWithWeights((_, context) => test.Hub.SendAsync(context, new byte[test.WeightBytes.Length + difference]));

        var error = await Assert.ThrowsAsync<HubFormatException>(() => test.FetchAsync());

        Assert.EndsWith(
            $"{HubTest.WeightsAddress}: has {300_000 + difference} bytes; the hub lists 300000", error.Message, StringComparison.Ordinal);
        test.AssertWeightsAreInvisible();
    }

    [Fact]
    public async Task A_wrong_range_is_refused()
    {
        await using var test = await HubTest.StartAsync();
        test.InterfereWithWeights(
            (request, context) => FakeHub.CutAsync(context, request, test.WeightBytes, 100_000),
            (request, context) =>
            {
                context.Response.StatusCode = 206;
                context.Response.Headers.ContentRange = "bytes 5-299999/300000";
                return context.Response.WriteAsync("x");
            });

        var error = await Assert.ThrowsAsync<HubFormatException>(() => test.FetchAsync());

        Assert.Contains(
            "answered with the range 'bytes 5-299999/300000'; asked from byte 100000 of 300000", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_full_disk_is_noticed_before_the_download()
    {
        await using var test = await HubTest.StartAsync(weightBytes: 3 << 20);

        var error = await Assert.ThrowsAsync<HubException>(
            () => test.Store(freeBytes: _ => 2 << 20).FetchAsync(HubTest.Model, null, TestContext.Current.CancellationToken));

        Assert.Equal(
            $"hf://test/model@main needs 3.0 MiB more in {test.CacheFolder}, where 2.0 MiB are free: make room, or choose another disk "
            + $"with --download-dir or HF_HOME", error.Message);
        Assert.Empty(test.RequestsAtStorage);
    }

    [Fact]
    public async Task A_storage_that_refuses_is_asked_for_again_by_way_of_the_hub()
    {
        await using var test = await HubTest.StartAsync();
        test.InterfereWithWeights((_, context) => Answer(context, 403));

        await test.FetchAsync();

        test.AssertWeightsAreWhole();
        Assert.Equal(2, test.Hub.Requests.Count(request => request.Target == HubTest.WeightsAddress));
    }

    [Theory]
    [InlineData("W/\"an-etag-of-its-own\"", "300000")]
    [InlineData("\"0123456789abcdef0123456789abcdef01234567\"", "9223372036854775807")]
    public async Task A_mirror_that_tells_no_hash_or_no_possible_size_is_refused(string etag, string size)
    {
        await using var test = await HubTest.StartAsync();
        test.Hub.EditListing = listing =>
        {
            foreach (var file in listing["siblings"]!.AsArray())
            {
                file!.AsObject().Remove("size");
            }
        };
        test.Hub.Interfere = (request, context) =>
        {
            context.Response.Headers.ETag = etag;
            context.Response.Headers["X-Linked-Size"] = size;
            return Task.FromResult(request.Method == HttpMethods.Head);
        };

        var error = await Assert.ThrowsAsync<HubFormatException>(() => test.FetchAsync());

        Assert.Contains("config.json: answered without the file's hash", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Redirects_in_a_circle_end()
    {
        await using var test = await HubTest.StartAsync();
        test.Hub.Interfere = (request, context) =>
        {
            context.Response.Redirect(request.Target);
            return Task.FromResult(true);
        };

        var error = await Assert.ThrowsAsync<HubFormatException>(() => test.FetchAsync());

        Assert.EndsWith("redirects more than 8 times", error.Message, StringComparison.Ordinal);
    }

    private static byte[] Corrupted(byte[] content)
    {
        var corrupted = content.ToArray();
        corrupted[content.Length / 2] ^= 1;
        return corrupted;
    }

    private static Task Answer(HttpContext context, int status)
    {
        context.Response.StatusCode = status;
        return Task.CompletedTask;
    }
}
