using System.Net;
using System.Text;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Reconciling;
using Cluster.Operator.Reconciling.Autoscaling;
using k8s.Models;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace Cluster.Operator.Tests.Reconciling.Autoscaling;

/// <summary>What gateways say, added up.</summary>
public sealed class GatewayDemandTests
{
    private const string Example =
        """
        {"gateway":"a","deployments":[{"namespace":"default","name":"haiku","queued":3,"running":5,"outstandingTokens":5120,
         "oldestQueuedSeconds":1.2,"secondsSinceLastRequest":0},{"namespace":"default","name":"other","queued":0,"running":0,
         "outstandingTokens":0,"oldestQueuedSeconds":0,"secondsSinceLastRequest":null}]}
        """;

    private static readonly NamespacedName Haiku = new("default", "haiku");
    private static readonly NamespacedName Other = new("default", "other");

    private readonly ManualTime _time = new();
    private readonly Dictionary<string, string?> _answers = new() { ["a"] = Example };
    private readonly List<Uri> _asked = [];
    private GatewayDemand? _source;

    [Fact]
    public async Task An_answer_is_read()
    {
        var found = await Read();
        Assert.Equal(new Demand(3, 5, 5120, 1.2, 0), found[Haiku]);
        Assert.Equal(Demand.None, found[Other]);
        Assert.Equal("http://a/internal/demand", Assert.Single(_asked).ToString());
    }

    [Fact]
    public async Task Gateways_are_added_up()
    {
        _answers["b"] = Example.Replace("\"secondsSinceLastRequest\":0}", "\"secondsSinceLastRequest\":9}", StringComparison.Ordinal)
            .Replace("1.2", "7", StringComparison.Ordinal);
        Assert.Equal(new Demand(6, 10, 10240, 7, 0), (await Read())[Haiku]);
    }

    [Theory]
    [InlineData(null, "gateway b does not answer")]
    [InlineData("<html>", "gateway b does not answer")]
    [InlineData("{}", "gateway b does not answer")]
    [InlineData("""{"deployments": [{"namespace": "default", "name": "haiku", "queued": "many"}]}""", "gateway b does not answer")]
    [InlineData("""{"deployments": []}""", "gateway b does not know this deployment")]
    public async Task A_sum_that_misses_a_gateway_says_so(string? answer, string missing)
    {
        _answers["b"] = answer;
        var found = (await Read())[Haiku];
        Assert.Equal((missing, 3), (found.Missing, found.Queued));
    }

    [Fact]
    public async Task A_lost_packet_is_bridged_and_a_lost_gateway_is_not()
    {
        await Read();
        _answers["a"] = null;
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal((null, 3), ((await Read())[Haiku].Missing, (await Read())[Haiku].Queued));

        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("gateway a does not answer", (await Read())[Haiku].Missing);
    }

    [Fact]
    public async Task Without_a_gateway_nothing_is_known()
    {
        _answers.Clear();
        Assert.Equal("there is no gateway", (await Read())[Haiku].Missing);
        Assert.Contains(
            "--gateway-key-file", (await new NoDemand().ReadAsync([Haiku], TestContext.Current.CancellationToken))[Haiku].Missing!,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Numbers_beyond_counting_stay_numbers()
    {
        _answers["a"] = $$"""{"deployments": [{{Many(long.MaxValue)}}]}""";
        _answers["b"] = $$"""{"deployments": [{{Many(-5)}}, {{Many(9)}}]}""";
        var found = (await Read())[Haiku];
        Assert.Equal((int.MaxValue, 0, long.MaxValue), (found.Queued, found.Running, found.OutstandingTokens));
    }

    [Fact]
    public async Task A_gateway_is_asked_over_http_with_the_key_of_demand()
    {
        var master = "0123456789abcdef"u8.ToArray();
        string? key = null;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        await using var gateway = builder.Build();
        gateway.MapGet("/internal/demand", async context =>
        {
            key = context.Request.Headers[GatewayKey.Header];
            await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(Example));
        });
        await gateway.StartAsync(TestContext.Current.CancellationToken);
        using var client = WorkerLoads.CreateClient();
        var source = GatewayDemand.Over(
            client, new GatewayAccess(master) { Urls = [new Uri(gateway.Urls.Single())] }, new GatewayPods(null), TimeProvider.System);

        var found = await source.ReadAsync([Haiku], TestContext.Current.CancellationToken);
        Assert.Equal(5120, found[Haiku].OutstandingTokens);
        Assert.Equal(GatewayKey.DeriveDemand(master), key);
    }

    [Fact]
    public void Gateways_are_the_ready_pods_with_the_label_in_the_operators_namespace()
    {
        GatewayPods pods = new("system");
        Observe("a", "10.0.0.1");
        Observe("b", "10.0.0.2", ready: false);
        Observe("c", null);
        Observe("d", "10.0.0.4", component: "operator");
        Observe("e", "10.0.0.5", @namespace: "default");
        Observe("f", "10.0.0.6", ready: false, ending: true);
        Assert.Equal([("a", "10.0.0.1"), ("f", "10.0.0.6")], pods.Serving());

        Observe("a", "10.0.0.1", type: ChangeType.Deleted);
        Assert.Equal(["f"], pods.Serving().Select(p => p.Name));

        void Observe(
            string name, string? address, bool ready = true, string component = "gateway", string @namespace = "system",
            bool ending = false, ChangeType type = ChangeType.Added) => pods.Observe(new ObjectChange<V1Pod>(type, null, new V1Pod
            {
                Metadata = new V1ObjectMeta
                {
                    Name = name,
                    NamespaceProperty = @namespace,
                    Labels = new Dictionary<string, string> { ["app.kubernetes.io/component"] = component },
                    DeletionTimestamp = ending ? DateTime.UnixEpoch : null,
                },
                Status = new V1PodStatus
                {
                    Phase = "Running",
                    PodIP = address,
                    Conditions = [new V1PodCondition { Type = "Ready", Status = ready ? "True" : "False" }],
                },
            }));
    }

    private static string Many(long tokens) =>
        $$"""{"namespace": "default", "name": "haiku", "queued": 2147483647, "running": -1, "outstandingTokens": {{tokens}}}""";

    private Task<IReadOnlyDictionary<NamespacedName, Demand>> Read()
    {
        _source ??= new GatewayDemand(
            (uri, _) =>
            {
                _asked.Add(uri);
                return _answers[uri.Host] is { } answer ? Task.FromResult(answer) : throw new HttpRequestException($"nobody at {uri}");
            },
            () => [.. _answers.Keys.Order(StringComparer.Ordinal).Select(name => (name, new Uri($"http://{name}/")))],
            _time);
        return _source.ReadAsync([Haiku, Other], TestContext.Current.CancellationToken);
    }
}
