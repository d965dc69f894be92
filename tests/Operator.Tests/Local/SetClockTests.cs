using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Cluster.Operator.Local.ApiServer;
using Cluster.Operator.Local.Kubelet;
using Cluster.Operator.Tests.Local.ApiServer;

namespace Cluster.Operator.Tests.Local;

/// <summary>Local mode while somebody sets the clock.</summary>
public sealed class SetClockTests
{
    private readonly ManualTime _steady = new();
    private readonly JumpingTime _time;

    public SetClockTests() => _time = new JumpingTime(_steady);

    /// <summary>Set forward while each run goes on, the clock makes every run look like an hour of good health.</summary>
    [Fact]
    public async Task A_container_that_fails_at_once_waits_longer_each_time()
    {
        ContainerSpec spec = new("c", "image", [], [], new Dictionary<string, string>(), null, null, null, null);
        using var prober = new Prober();
        using var stop = new CancellationTokenSource();
        var runner = new ContainerRunner(
            "c", "image", "127.0.0.1", "Always", () => (spec, "/bin/sh", ["-c", "exit 3"]), prober, _time,
            () => _time.Jump(TimeSpan.FromHours(1)), (_, _, _) => { });
        var running = runner.RunAsync(() => TimeSpan.Zero, stop.Token);
        foreach (var seconds in new[] { 2, 4, 8 })
        {
            await _steady.TimerOfAsync(TimeSpan.FromSeconds(seconds)).WaitAsync(Eventually.Limit);
            _steady.Advance(TimeSpan.FromSeconds(seconds));
        }

        await stop.CancelAsync();
        await running;
        Assert.True((int)runner.Status["restartCount"]! >= 3, runner.Status.ToJsonString());
    }

    [Theory]
    [InlineData(-2)]
    [InlineData(2)]
    public async Task Events_live_an_hour_from_when_they_were_written(int hours)
    {
        await using var server = await LocalApiServer.StartAsync(new LocalApiServerOptions { Clock = _time }, CancellationToken.None);
        using var client = new ApiClient(server);
        await CreateAsync("old");
        await CollectAsync("one");
        _time.Jump(TimeSpan.FromHours(hours));
        _steady.Advance(TimeSpan.FromMinutes(50));
        await CreateAsync("new");
        await CollectAsync("two");
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("old"));

        // Each write is an occasion to look.
        _steady.Advance(TimeSpan.FromMinutes(15));
        await CollectAsync("three");
        await Eventually.True(async () => await StatusAsync("old") == HttpStatusCode.NotFound, "the event is gone after its hour");
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("new"));

        Task CreateAsync(string name) => client.ExpectAsync(
            HttpStatusCode.Created, HttpMethod.Post, "/api/v1/namespaces/default/events", new JsonObject
            {
                ["metadata"] = new JsonObject { ["name"] = name },
                ["lastTimestamp"] = _time.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'"),
            });

        // When the second orphan is gone, the pass that removed the first has looked at all events.
        async Task CollectAsync(string name)
        {
            foreach (var orphan in new[] { $"{name}-a", $"{name}-b" })
            {
                await client.CreateAsync("/api/v1/namespaces/default/configmaps", new JsonObject
                {
                    ["metadata"] = new JsonObject
                    {
                        ["name"] = orphan,
                        ["ownerReferences"] = new JsonArray(new JsonObject
                        {
                            ["apiVersion"] = "v1",
                            ["kind"] = "ConfigMap",
                            ["name"] = "gone",
                            ["uid"] = "gone",
                        }),
                    },
                });
                await Eventually.True(
                    async () => await StatusAsync(orphan, "configmaps") == HttpStatusCode.NotFound, $"{orphan} is collected");
            }
        }

        async Task<HttpStatusCode> StatusAsync(string name, string kind = "events") =>
            (await client.SendAsync(HttpMethod.Get, $"/api/v1/namespaces/default/{kind}/{name}")).StatusCode;
    }

    [Theory]
    [InlineData(-12)]
    [InlineData(-1)]
    [InlineData(1)]
    public void The_certificate_of_the_api_server_stays_valid(int hours)
    {
        var made = ServerCertificate.Create(_time.GetUtcNow());
        _time.Jump(TimeSpan.FromHours(hours));
        using var chain = new X509Chain();
        using var authority = X509Certificate2.CreateFromPem(made.AuthorityPem);
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.VerificationTime = _time.GetUtcNow().UtcDateTime;
        Assert.True(chain.Build(made.Server), string.Join(' ', chain.ChainStatus.Select(status => status.StatusInformation)));
    }
}
