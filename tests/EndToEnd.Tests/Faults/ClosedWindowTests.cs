using System.Buffers.Binary;
using System.Globalization;
using Cluster.EndToEnd.Tests.Load;
using Cluster.EndToEnd.Tests.Support;
using Cluster.Worker.Tests.Serving.Robustness;
using Google.Protobuf;

namespace Cluster.EndToEnd.Tests.Faults;

/// <summary>Clients of gRPC that open no flow-control window: the worker may send them nothing, ever.</summary>
[Collection(LoadCollection.Name), Trait(Category.Name, Category.Long)]
public sealed class ClosedWindowTests(ITestOutputHelper log)
{
    private const string Path = "/cluster.v1.TextGeneration/GenerateStream";
    private const int Connections = 5;
    private const int StreamsEach = 100;

    /// <summary>Far more than any of them gets to before the clients leave, however slow the machine is.</summary>
    private const int TokensEach = 1800;

    private const int EnoughEach = 150;
    private const long CacheBytes = 1L << 30;

    /// <summary>Beside the KV cache, whose pages the system gives out as they are first used. Some 300 KiB a stream: a bound on what grows
    /// with every token or step, not a measurement.</summary>
    private const long MostUnreadBytes = 150L << 20;
    private const byte Acknowledge = 1;

    [Fact]
    public async Task Five_hundred_that_never_read_cost_little_memory_and_no_other_client_anything()
    {
        await using var worker = await WorkerProcess.StartAsync("--max-num-seqs", "512", "--cpu-kvcache-space", "1");
        var random = new Random(9);
        LoadRequest[] probes = [.. Enumerable.Range(0, 4).Select(_ => LoadRequest.Draw(random, maxTokens: 24, logprobs: 2))];
        var alone = await LoadTests.AloneAsync(worker, probes);
        var (before, tokensBefore) = (worker.ResidentBytes, await TokensAsync(worker));

        var connections = await Task.WhenAll(Enumerable.Range(0, Connections).Select(_ => OpenAsync(worker, random)));
        Assert.True(
            await Eventually.IsTrueAsync(async () => await worker.MetricAsync("vllm:num_requests_running") == Connections * StreamsEach),
            $"{await worker.MetricAsync("vllm:num_requests_running")} run\n{worker.Output}");
        var atFull = worker.ResidentBytes;
        await AssertServesAsync(worker, probes, alone);

        // Well into what nobody reads.
        const int Enough = Connections * StreamsEach * EnoughEach;
        await Eventually.True(async () => await TokensAsync(worker) - tokensBefore >= Enough, "they generate", 3 * Eventually.Limit);
        var cache = (long)(CacheBytes * await worker.MetricAsync("vllm:kv_cache_usage_perc"));
        var (unread, generated) = (worker.ResidentBytes - before - cache, await TokensAsync(worker) - tokensBefore);
        await AssertServesAsync(worker, probes[..1], alone);
        Assert.False(await worker.IsIdleAsync());
        foreach (var connection in connections)
        {
            connection.Dispose();
        }

        Assert.True(await Eventually.IsTrueAsync(worker.IsIdleAsync), "blocks of clients that left are still held");
        await AssertServesAsync(worker, probes, alone);
        log.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{Connections * StreamsEach} streams, window 0: {before >> 20} MiB resident before, {atFull >> 20} MiB with all running; "
            + $"after {generated} tokens that nobody reads {cache >> 20} MiB of KV cache and {unread >> 20} MiB of all else; peak "
            + $"{worker.PeakResidentBytes >> 20} MiB"));
        Assert.True(unread < MostUnreadBytes, $"{unread >> 20} MiB beside the KV cache for {Connections * StreamsEach} streams");
        Assert.DoesNotContain(" fail: ", worker.Output, StringComparison.Ordinal);
    }

    /// <summary>One connection with as many calls as it may have, all complete but for a window to answer into.</summary>
    private static async Task<RawConnection> OpenAsync(WorkerProcess worker, Random random)
    {
        var connection = await RawConnection.OpenAsync(worker.Grpc);
        using var frames = new MemoryStream();
        frames.Write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8);

        // SETTINGS_INITIAL_WINDOW_SIZE (4) of every stream is 0 (RFC 9113 §6.5.2).
        frames.Write(Http2Frames.Frame(Http2Frames.Settings, 0, 0, [0, 4, 0, 0, 0, 0]));
        frames.Write(Http2Frames.Frame(Http2Frames.Settings, Acknowledge, 0, []));
        for (var i = 0; i < StreamsEach; i++)
        {
            LoadRequest request;
            lock (random)
            {
                request = LoadRequest.Draw(random, TokensEach, logprobs: 5);
            }

            frames.Write(Http2Frames.Frame(Http2Frames.Headers, Http2Frames.EndHeaders, (2 * i) + 1, Http2Frames.GrpcHeaders(Path)));
            frames.Write(Http2Frames.Frame(Http2Frames.Data, Http2Frames.EndStream, (2 * i) + 1, Message(request.ToGrpc())));
        }

        Assert.True(await connection.SendAsync(frames.ToArray()));
        return connection;
    }

    /// <summary>Uncompressed, with its length (gRPC over HTTP/2, "Length-Prefixed-Message").</summary>
    private static byte[] Message(IMessage message)
    {
        var body = message.ToByteArray();
        var framed = new byte[5 + body.Length];
        BinaryPrimitives.WriteInt32BigEndian(framed.AsSpan(1), body.Length);
        body.CopyTo(framed, 5);
        return framed;
    }

    private static Task<double> TokensAsync(WorkerProcess worker) => worker.MetricAsync("vllm:generation_tokens_total");

    private static async Task AssertServesAsync(WorkerProcess worker, LoadRequest[] probes, Dictionary<LoadRequest, Reply> alone)
    {
        foreach (var (request, reply) in await LoadTests.AloneAsync(worker, probes))
        {
            reply.AssertSameAs(alone[request]);
        }
    }
}
