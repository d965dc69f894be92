using System.Net;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Gateway.Admission;
using Cluster.Operator.Gateway.Http;
using Cluster.Operator.Gateway.Page;
using Cluster.Operator.Gateway.Traffic;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Tests.Controller;
using Cluster.Operator.Tests.Reconciling;
using k8s.Models;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Cluster.Operator.Tests.Gateway.Page;

/// <summary>The page alone on a socket, over an API server in memory.</summary>
internal sealed class PageHost : IAsyncDisposable
{
    private readonly WebApplication _application;

    private PageHost(WebApplication application, ClusterWatch cluster) => (_application, Cluster) = (application, cluster);

    public FakeKubernetesClient Api { get; private init; } = null!;

    public TrafficLog Traffic { get; private init; } = null!;

    public ClusterWatch Cluster { get; }

    public HttpClient Http { get; private init; } = null!;

    public static async Task<PageHost> StartAsync(IReplicaKiller? killer = null, string? keysFile = null)
    {
        FakeKubernetesClient api = new();
        TrafficLog traffic = new(TimeProvider.System);
        ClusterWatch cluster = new(api, null, killer is not null, TimeProvider.System, new Random(1), NullLogger.Instance);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var application = builder.Build();
        application.Use(GatewayErrors.HandleAsync);
        new GatewayPage(
            cluster, new PageEvents(cluster, traffic, TimeProvider.System),
            new ApiKeyGate(keysFile, TimeProvider.System, (_, _) => { }, NullLogger.Instance).Admit, killer)
            .Map(application, application.Lifetime.ApplicationStopping);
        await application.StartAsync();
        var address = application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        return new PageHost(application, cluster)
        {
            Api = api,
            Traffic = traffic,
            Http = new HttpClient { BaseAddress = new Uri(address), Timeout = Timeout.InfiniteTimeSpan },
        };
    }

    /// <summary>A deployment with a pod on a node, in the API.</summary>
    public async Task<V1Pod> AddReplicaAsync(string name)
    {
        var pod = Given.Pod(name);
        pod.Metadata.Labels[ApiNames.DeploymentLabel] = "haiku";
        pod.Metadata.Labels["app.kubernetes.io/managed-by"] = "cluster-operator";
        var manifest = KubernetesJson.ToJsonObject(pod);
        (manifest["apiVersion"], manifest["kind"]) = ("v1", "Pod");
        return await Api.CreateAsync<V1Pod>(manifest, CancellationToken.None);
    }

    public Task AddNodeAsync(string name)
    {
        var manifest = KubernetesJson.ToJsonObject(Given.Node(name));
        (manifest["apiVersion"], manifest["kind"]) = ("v1", "Node");
        return Api.CreateAsync<V1Node>(manifest, CancellationToken.None);
    }

    /// <summary>Opens the stream of events.</summary>
    public async Task<PageStream> OpenAsync()
    {
        var response = await Http.GetAsync("/page/events", HttpCompletionOption.ResponseHeadersRead);
        return new PageStream(response, new StreamReader(await response.Content.ReadAsStreamAsync()));
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _application.DisposeAsync();
        await Cluster.DisposeAsync();
    }
}

/// <summary>What a browser reads of the page's events.</summary>
internal sealed record PageStream(HttpResponseMessage Response, StreamReader Lines) : IDisposable
{
    /// <summary>The next event; its data is one line.</summary>
    public async Task<(string Name, JsonNode Data)> NextAsync()
    {
        using CancellationTokenSource late = new(Eventually.Limit);
        var name = "";
        while (await Lines.ReadLineAsync(late.Token) is { } line)
        {
            if (line.StartsWith("event: ", StringComparison.Ordinal))
            {
                name = line["event: ".Length..];
            }
            else if (line.StartsWith("data: ", StringComparison.Ordinal))
            {
                return (name, JsonNode.Parse(line["data: ".Length..])!);
            }
        }

        throw new EndOfStreamException("the stream of events has ended");
    }

    /// <summary>The first event of a name that holds.</summary>
    public async Task<JsonNode> UntilAsync(string name, Func<JsonNode, bool> holds)
    {
        while (true)
        {
            var (found, data) = await NextAsync();
            if (found == name && holds(data))
            {
                return data;
            }
        }
    }

    public void Dispose()
    {
        Lines.Dispose();
        Response.Dispose();
    }
}
