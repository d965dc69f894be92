using Cluster.Worker.Engine;
using Cluster.Worker.Engine.Speculation;
using Cluster.Worker.Serving;
using Cluster.Worker.Serving.Relaying;

namespace Cluster.Worker.Tests.Serving.Relaying;

/// <summary>Replicas of one model that were started by themselves, and compute in different ways.</summary>
public sealed class RelayFixture : IAsyncLifetime
{
    private readonly Random _random = new(17);
    private readonly Lock _gate = new();

    /// <summary>Plainly.</summary>
    internal HaikuServer First { get; private set; } = null!;

    /// <summary>In chunks, with plans of several steps.</summary>
    internal HaikuServer Second { get; private set; } = null!;

    /// <summary>With guesses, and nothing of a prompt kept.</summary>
    internal HaikuServer Third { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        First = await StartAsync(new EngineOptions { Seed = 1 });
        Second = await StartAsync(new EngineOptions { Seed = 2, MaxNumBatchedTokens = 20, MaxNumSeqs = 16, NumSchedulerSteps = 4 });
        Third = await StartAsync(
            new EngineOptions { Seed = 3, EnablePrefixCaching = false, NumSpeculativeTokens = 3 }, new NgramProposer(1, 4));
    }

    public async ValueTask DisposeAsync()
    {
        await First.DisposeAsync();
        await Second.DisposeAsync();
        await Third.DisposeAsync();
    }

    internal static ServerOptions WithKey(ServerOptions options) => options with { GatewayKey = new GatewayKey(RelayedStream.Key) };

    /// <summary>Sends a request from where a stream is.</summary>
    internal static Task<RelayedStream> SendAsync(
        HaikuServer server, string path, string body, RelayedStream? delivered = null, Func<int, bool>? enough = null) =>
        RelayedStream.ReadAsync(
            server.Http.Client, (delivered ?? RelayedStream.Nothing).Request(server.Http.Client.BaseAddress!, path, body), enough);

    /// <summary>Places to cut a stream at: all of few, some of many, and always the ends.</summary>
    internal int[] Cuts(int events)
    {
        lock (_gate)
        {
            return events <= 16
                ? [.. Enumerable.Range(0, events + 1)]
                : [0, 1, events - 1, events, .. Enumerable.Range(0, 12).Select(_ => _random.Next(2, events - 1)).Distinct()];
        }
    }

    internal HaikuServer OtherFor(int cut) => cut % 2 == 0 ? Second : Third;

    private static Task<HaikuServer> StartAsync(EngineOptions options, IDraftProposer? proposer = null) =>
        HaikuServer.StartAsync(WithKey, options, proposer);
}
