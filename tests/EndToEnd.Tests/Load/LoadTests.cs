using System.Globalization;
using Cluster.EndToEnd.Tests.Support;

namespace Cluster.EndToEnd.Tests.Load;

/// <summary>A real worker under more clients than it can run at once, in less KV cache than they need, many of which behave
/// badly.</summary>
[Collection(LoadCollection.Name), Trait(Category.Name, Category.Long)]
public sealed class LoadTests(ITestOutputHelper log)
{
    private const int Clients = 256;
    private const int StalledClients = 32;
    private const int VisitsEach = 2;
    private const long MostResidentBytes = 1L << 30;

    [Fact]
    public async Task Clients_that_stall_leave_and_crash_cost_nothing_lasting_and_the_others_get_what_they_would_get_alone()
    {
        var random = new Random(1);
        LoadRequest[] requests =
        [
            .. Enumerable.Range(0, 40).Select(_ => LoadRequest.Draw(random, maxTokens: 1 << random.Next(8), logprobs: random.Next(3))),
            .. Enumerable.Range(0, 8).Select(_ => LoadRequest.Draw(random, maxTokens: 200, logprobs: 20)),
        ];
        await using var worker = await WorkerProcess.StartAsync("--cpu-kvcache-space", "0.03");
        var alone = await AloneAsync(worker, requests);
        var residentBefore = worker.PeakResidentBytes;
        var tokensBefore = await worker.MetricAsync("vllm:generation_tokens_total");

        var released = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var clients = Enumerable.Range(0, Clients).Select(client => Plan(worker, client, requests)).ToArray();
        var started = TimeProvider.System.GetTimestamp();
        var stalled = Task.WhenAll(clients[..StalledClients].Select(client => RunAsync(client, clients, released.Task)));
        var others = Task.WhenAll(clients[StalledClients..].Select(client => RunAsync(client, clients, released.Task)));
        await others;
        var elapsed = TimeProvider.System.GetElapsedTime(started);

        // Nobody has read the stalled replies yet; that must cost neither blocks nor places in the batch.
        Assert.True(await Eventually.IsTrueAsync(worker.IsIdleAsync), worker.Output);
        Assert.False(stalled.IsCompleted);
        released.SetResult();
        await stalled;

        var visits = clients.SelectMany(client => client).ToList();
        Report(visits, elapsed, residentBefore, worker.PeakResidentBytes,
            await worker.MetricAsync("vllm:generation_tokens_total") - tokensBefore,
            await worker.MetricAsync("vllm:num_preemptions_total"));
        Assert.All(
            visits.Where(visit => visit.Conduct is Conduct.ReadsToTheEnd or Conduct.Stalls),
            visit => visit.Reply.AssertSameAs(alone[visit.Request]));
        Assert.True(await worker.IsIdleAsync());
        Assert.True(worker.PeakResidentBytes < MostResidentBytes, $"{worker.PeakResidentBytes >> 20} MiB resident");
        Assert.DoesNotContain(" fail: ", worker.Output, StringComparison.Ordinal);
        foreach (var (request, reply) in await AloneAsync(worker, requests[..8]))
        {
            reply.AssertSameAs(alone[request]);
        }
    }

    /// <summary>What each request gives when nothing else runs, asked over the two APIs in turn.</summary>
    internal static async Task<Dictionary<LoadRequest, Reply>> AloneAsync(WorkerProcess worker, IReadOnlyList<LoadRequest> requests)
    {
        var replies = new Dictionary<LoadRequest, Reply>(ReferenceEqualityComparer.Instance);
        foreach (var request in requests)
        {
            var visit = new Visit(worker, (Api)(replies.Count % 2), request, Conduct.ReadsToTheEnd);
            await visit.RunAsync(0, Task.CompletedTask, Task.CompletedTask);
            Assert.Equal("length", visit.Reply.FinishReason);
            Assert.Equal(request.MaxTokens, visit.Reply.Logprobs.Count);
            replies.Add(request, visit.Reply);
        }

        return replies;
    }

    /// <summary>One client's visits: the first clients stall over the long requests, the others behave in every way.</summary>
    private static Visit[] Plan(WorkerProcess worker, int client, LoadRequest[] requests)
    {
        var random = new Random(client);
        var api = (Api)(client % 2);
        return client < StalledClients
            ? [new Visit(worker, api, requests[^(1 + client % 8)], Conduct.Stalls)]
            : [.. Enumerable.Range(0, VisitsEach)
                .Select(_ => new Visit(worker, api, requests[random.Next(requests.Length)], Draw(random)))];
    }

    private static Conduct Draw(Random random) => random.Next(100) switch
    {
        < 60 => Conduct.ReadsToTheEnd,
        < 70 => Conduct.LeavesBeforeTheFirstToken,
        < 85 => Conduct.Cancels,
        _ => Conduct.Resets,
    };

    private static async Task RunAsync(Visit[] client, Visit[][] clients, Task released)
    {
        var random = new Random(client[0].Request.Seed);
        foreach (var visit in client)
        {
            await visit.RunAsync(random.Next(40), clients[random.Next(clients.Length)][0].Begun, released);
        }
    }

    private void Report(List<Visit> visits, TimeSpan elapsed, long residentBefore, long residentPeak, double tokens, double preemptions)
    {
        var firstTokens = visits.Where(visit => visit.TimeToFirstToken is not null)
            .Select(visit => visit.TimeToFirstToken!.Value.TotalMilliseconds).Order().ToArray();
        int Count(Conduct conduct) => visits.Count(visit => visit.Conduct == conduct);
        log.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{Clients} clients at once, {visits.Count} requests: {Count(Conduct.ReadsToTheEnd)} read to the end, {Count(Conduct.Stalls)} "
            + $"stalled, {Count(Conduct.Cancels)} cancelled, {Count(Conduct.Resets)} reset by TCP, "
            + $"{Count(Conduct.LeavesBeforeTheFirstToken)} left before the first token"));
        log.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{tokens:F0} tokens generated in {elapsed.TotalSeconds:F1} s ({tokens / elapsed.TotalSeconds:F0} tok/s), {preemptions:F0} "
            + $"preemptions; time to first token p50 {firstTokens[firstTokens.Length / 2]:F0} ms, p99 "
            + $"{firstTokens[firstTokens.Length * 99 / 100]:F0} ms; resident {residentBefore >> 20} MiB before, {residentPeak >> 20} MiB "
            + $"at most"));
    }
}
