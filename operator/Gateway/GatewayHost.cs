using Cluster.Operator.Gateway.Http;
using Cluster.Operator.Gateway.Page;
using Cluster.Operator.Gateway.Replicas;
using Cluster.Operator.Kubernetes;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Cluster.Operator.Gateway;

/// <summary>One address for all models: Kestrel with HTTP on one port, gRPC on another, and metrics, probes and the operator's questions on
/// a third. Used by the <c>gateway</c> and <c>local</c> commands.</summary>
internal sealed class GatewayHost : IAsyncDisposable
{
    /// <summary>A client that stops reading may hold a replica's slot for so long before its connection counts as dead.</summary>
    private static readonly TimeSpan SlowClientGrace = TimeSpan.FromSeconds(30);

    /// <summary>In which clients of requests that did not finish are told so.</summary>
    private static readonly TimeSpan LastBytes = TimeSpan.FromSeconds(2);

    private const double SlowClientBytesPerSecond = 240;

    private readonly WebApplication _public;
    private readonly WebApplication _internal;
    private readonly GatewayServices _services;
    private readonly ClusterWatch _page;

    private GatewayHost(WebApplication @public, WebApplication @internal, GatewayServices services, ClusterWatch page)
    {
        _page = page;
        _public = @public;
        _internal = @internal;
        _services = services;
        services.Start();
    }

    /// <summary>Base address of the HTTP API.</summary>
    public Uri HttpAddress => Address(_public, 0);

    /// <summary>Address of the gRPC services.</summary>
    public Uri GrpcAddress => Address(_public, 1);

    /// <summary>Base address of metrics, probes and <c>/internal/demand</c>.</summary>
    public Uri InternalAddress => Address(_internal, 0);

    public ReplicaTable Replicas => _services.Replicas;

    public GatewayServices Services => _services;

    /// <summary>Listens at once; models are there as soon as the API server has told of them.</summary>
    /// <exception cref="IOException">A port cannot be bound.</exception>
    public static async Task<GatewayHost> StartAsync(
        IKubernetesClient client, GatewayOptions options, CancellationToken cancellationToken)
    {
        var services = new GatewayServices(options, new ReplicaTable(client, options));
        var page = new ClusterWatch(
            client, options.Namespace, mayKill: options.Killer is not null, options.Time, options.Random, services.Log);
        WebApplication? @public = null;
        WebApplication? @internal = null;
        try
        {
            @public = BuildPublic(services, page);
            await @public.StartAsync(cancellationToken);
            @internal = BuildInternal(services);
            await @internal.StartAsync(cancellationToken);
            return new GatewayHost(@public, @internal, services, page);
        }
        catch
        {
            await (@public?.DisposeAsync() ?? ValueTask.CompletedTask);
            await (@internal?.DisposeAsync() ?? ValueTask.CompletedTask);
            await page.DisposeAsync();
            services.Dispose();
            throw;
        }
    }

    /// <summary>Takes no new connections, lets running requests finish within the shutdown timeout, and ends the rest.</summary>
    public async Task DrainAsync()
    {
        _services.IsDraining = true;
        using var tooLate = new CancellationTokenSource(_services.Options.ShutdownTimeout + LastBytes, _services.Options.Time);
        using var late = new CancellationTokenSource(_services.Options.ShutdownTimeout, _services.Options.Time);
        await using (late.Token.Register(() => _ = _services.EndAsync()))
        {
            await _public.StopAsync(tooLate.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _public.DisposeAsync();
        await _internal.DisposeAsync();
        await _page.DisposeAsync();
        await _services.StopAsync();
        _services.Dispose();
    }

    private static WebApplication BuildPublic(GatewayServices services, ClusterWatch page)
    {
        var options = services.Options;
        var builder = NewBuilder(options);
        builder.Services.AddHttpForwarder();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = options.MaxRequestBytes;
            kestrel.Limits.MinResponseDataRate = new MinDataRate(SlowClientBytesPerSecond, SlowClientGrace);
            kestrel.Listen(options.Host, options.Port, listen => listen.Protocols = HttpProtocols.Http1);
            kestrel.Listen(options.Host, options.GrpcPort, listen => listen.Protocols = HttpProtocols.Http2);
        });
        var application = builder.Build();
        application.UseGatewayGuard(options.Host, options.AllowedHosts);
        application.Use(GatewayErrors.HandleAsync);
        GatewayEndpoints.MapPublic(application, services);
        new GatewayPage(page, new PageEvents(page, services.Traffic, options.Time), services.Gate.Admit, options.Killer)
            .Map(application, application.Lifetime.ApplicationStopping);
        return application;
    }

    private static WebApplication BuildInternal(GatewayServices services)
    {
        var options = services.Options;
        var builder = NewBuilder(options);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(options.InternalHost, options.InternalPort, listen => listen.Protocols = HttpProtocols.Http1);
        });
        var application = builder.Build();
        application.UseGatewayGuard(options.InternalHost, options.AllowedHosts);
        application.Use(GatewayErrors.HandleAsync);
        GatewayEndpoints.MapInternal(application, services);
        return application;
    }

    private static WebApplicationBuilder NewBuilder(GatewayOptions options)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(options.Logging);

        // Who started it owns SIGTERM and SIGINT: it lets requests finish first.
        builder.Services.AddSingleton<IHostLifetime, SilentGatewayLifetime>();
        return builder;
    }

    private static Uri Address(WebApplication application, int index)
    {
        var addresses = application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
        return new Uri(addresses.ElementAt(index));
    }

    private sealed class SilentGatewayLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
