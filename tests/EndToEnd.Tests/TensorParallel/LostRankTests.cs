using System.Net.Http.Json;
using Cluster.EndToEnd.Tests.Load;
using Cluster.EndToEnd.Tests.Support;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Tests.Serving.Grpc;
using Grpc.Core;

namespace Cluster.EndToEnd.Tests.TensorParallel;

/// <summary>A rank ends, or stops answering: the replica ends with it, within seconds, and says why.</summary>
[Collection(TensorParallelCollection.Name), Trait(Category.Name, Category.Long)]
public sealed class LostRankTests
{
    private const int SigKill = 9;
    private const int SigStop = 19;
    private static readonly object Endless = new { prompt = "a", stream = true, max_tokens = 2000, ignore_eos = true };

    [Fact]
    public async Task Killing_a_rank_ends_streams_with_which_and_how_and_the_worker_with_an_exit_code()
    {
        const string Reason = "rank 1 was ended by signal 9 (SIGKILL)";
        await using var ranked = await RankedWorker.StartAsync(2);
        using var channel = GrpcClients.Open(ranked.Worker.Grpc);
        using var call = new TextGeneration.TextGenerationClient(channel)
            .GenerateStream(LoadRequest.Draw(new Random(1), maxTokens: 1800, logprobs: 0).ToGrpc());

        var rest = await ReadToEndAsync(ranked.Worker, () => LocalOperator.Kill(ranked.Ranks[0], SigKill));
        var (status, message) = await call.FailAtEndAsync();

        Assert.Contains($"\"message\":\"the engine has failed and must be restarted: {Reason}\"", rest, StringComparison.Ordinal);
        Assert.Contains("\"code\":\"unavailable\"", rest, StringComparison.Ordinal);
        Assert.Equal(StatusCode.Unavailable, status);
        Assert.Contains(Reason, message, StringComparison.Ordinal);
        Assert.Equal(1, await ranked.Worker.ExitAsync());
        Assert.Contains(
            $" crit: cluster.worker[0] {Reason}; exiting so that the replica is restarted", ranked.Worker.Output, StringComparison.Ordinal);
        await ranked.AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task A_rank_killed_while_nothing_runs_ends_the_worker_too()
    {
        await using var ranked = await RankedWorker.StartAsync(4);

        _ = LocalOperator.Kill(ranked.Ranks.Max(), SigKill);

        Assert.Equal(1, await ranked.Worker.ExitAsync());
        Assert.Matches(@"rank [123] was ended by signal 9 \(SIGKILL\)", ranked.Worker.Output);
        await ranked.AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task A_rank_that_stops_answering_is_lost_after_the_timeout()
    {
        await using var ranked = await RankedWorker.StartAsync(2, "--distributed-timeout", "2");

        var rest = await ReadToEndAsync(ranked.Worker, () => LocalOperator.Kill(ranked.Ranks[0], SigStop));

        Assert.Contains($"rank 1 (process {ranked.Ranks[0]}) has not answered for 2 s", rest, StringComparison.Ordinal);
        Assert.Equal(1, await ranked.Worker.ExitAsync());
        await ranked.AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task The_other_ranks_end_when_rank_0_is_killed()
    {
        await using var ranked = await RankedWorker.StartAsync(4);

        _ = LocalOperator.Kill(ranked.Worker.ProcessId, SigKill);

        await ranked.Worker.ExitAsync();
        await ranked.AssertNothingIsLeftAsync();
    }

    /// <summary>Streams until the first event, does something, and reads what else comes.</summary>
    private static async Task<string> ReadToEndAsync(WorkerProcess worker, Func<int> afterFirst)
    {
        using var http = new HttpClient { BaseAddress = worker.Http };
        using var message = new HttpRequestMessage(HttpMethod.Post, "/v1/completions") { Content = JsonContent.Create(Endless) };
        using var response = await http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        Assert.StartsWith("data: ", await reader.ReadLineAsync(), StringComparison.Ordinal);
        afterFirst();
        return await reader.ReadToEndAsync();
    }
}
