using System.Net;
using Cluster.Worker.Engine;
using Cluster.Worker.Serving.Grpc;
using Cluster.Worker.Serving.Http;
using Cluster.Worker.Serving.Limits;
using Cluster.Worker.Serving.Metrics;
using Cluster.Worker.Serving.Relaying;
using Cluster.Worker.Serving.Telemetry;
using Cluster.Worker.Serving.Tls;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Cluster.Worker.Serving;

/// <summary>The listening half of a worker: Kestrel with the HTTP API on one port and gRPC on another. Started before the model is loaded,
/// so that probes are answered from the first second. Used by the serve command; calls <see cref="HttpEndpoints"/> and
/// <see cref="GrpcServing"/>.</summary>
internal sealed partial class WorkerServer : IAsyncDisposable
{
    /// <summary>Least time to write what has been generated.</summary>
    private static readonly TimeSpan LastBytesTimeout = TimeSpan.FromSeconds(5);

    private readonly WebApplication _application;
    private readonly ServerOptions _options;
    private readonly ServingState _state;
    private readonly WorkerMetrics _metrics;
    private readonly WorkerTelemetry? _telemetry;
    private readonly TimeProvider _time;

    private WorkerServer(
        WebApplication application,
        ServerOptions options,
        ServingState state,
        WorkerMetrics metrics,
        WorkerTelemetry? telemetry,
        IEngineObserver observer,
        TimeProvider time)
    {
        _application = application;
        _options = options;
        _state = state;
        _metrics = metrics;
        _telemetry = telemetry;
        Observer = observer;
        _time = time;
    }

    /// <summary>Base address of the HTTP API.</summary>
    public Uri HttpAddress => Address(0);

    /// <summary>Address of the gRPC services.</summary>
    public Uri GrpcAddress => Address(1);

    /// <summary>What the engine shall tell, for metrics and traces.</summary>
    public IEngineObserver Observer { get; }

    /// <param name="inProcess">Takes requests from this process instead of a port; null listens.</param>
    /// <exception cref="IOException">A port cannot be bound or a certificate file not read; the message names it.</exception>
    /// <exception cref="FormatException">The certificate files are no usable pair; the message names them.</exception>
    public static async Task<WorkerServer> StartAsync(
        ServerOptions options, ServingState state, string modelName, Action<ILoggingBuilder> logging, TimeProvider time,
        CancellationToken cancellationToken, InProcessServer? inProcess = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        logging(builder.Logging);

        // The command owns SIGTERM and SIGINT: it drains first. The host's own handler would close connections at once.
        builder.Services.AddSingleton<IHostLifetime, SilentLifetime>();
        builder.Services.AddSingleton(time);
        builder.Services.AddSingleton(_ => LargeBodyMemory.OfProcess(time));
        var health = new WorkerHealth(state, options.HealthTimeout);
        builder.Services.AddSingleton(health);
        builder.Services.AddGrpcServing(
            state, new GrpcOptions { MaxReceiveMessageBytes = options.MaxRequestBytes, RequestTimeout = options.RequestTimeout });
        builder.Services.AddCors();
        if (options.IsolatesCacheByKey)
        {
            builder.Services.AddHttpContextAccessor();
        }

        if (options.Tls is { } tls)
        {
            builder.Services.AddSingleton(
                services => new ReloadingCertificate(tls, time, services.GetRequiredService<ILogger<ReloadingCertificate>>()));
        }

        if (inProcess is not null)
        {
            builder.Services.AddSingleton<IServer>(inProcess);
        }

        var address = IPAddress.Parse(options.Host);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            var certificate = kestrel.ApplicationServices.GetService<ReloadingCertificate>();
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = options.MaxRequestBytes;
            kestrel.Listen(address, options.Port, listen =>
            {
                // Without TLS there is no ALPN to agree on HTTP/2.
                listen.Protocols = certificate is null ? HttpProtocols.Http1 : HttpProtocols.Http1AndHttp2;
                Secure(listen);
            });
            kestrel.ListenGrpc(address, options.GrpcPort, Secure);

            void Secure(ListenOptions listener)
            {
                if (certificate is not null)
                {
                    listener.UseCertificate(certificate);
                }
            }
        });

        var application = builder.Build();
        var metrics = new WorkerMetrics(state, modelName);
        var telemetry = options.Telemetry is { } collector ? new WorkerTelemetry(collector) : null;
        IEngineObserver observer = telemetry?.Requests(modelName) is { } spans ? new EngineObservers(metrics, spans) : metrics;
        application.Use(new AccessLog(time, application.Services.GetRequiredService<ILogger<AccessLog>>()).RunAsync);
        telemetry?.Trace(application);
        application.UseHostCheck(new HostGuard(address, options.AllowedHosts, options.CrossOrigin?.Origins ?? []));
        if (options.CrossOrigin is { } pages)
        {
            // Before keys are asked for: browsers send none with the question whether they may send one.
            application.UseCors(pages.Configure);
        }

        application.UseGatewayCheck(options.GatewayKey, options.ReplicaName);
        if (!options.ApiKeys.IsEmpty)
        {
            application.UseAuthentication(options.ApiKeys);
        }

        application.Use(
            new BodyBudget(options.MaxInflightRequestBytes, application.Services.GetRequiredService<LargeBodyMemory>()).RunAsync);
        application.UseGrpcServing();
        application.Use(ErrorResponses.HandleAsync);
        application.Use((context, next) => RequestDeadline.RunAsync(context, next, options.RequestTimeout, state, time));
        application.MapHttp(state, health, metrics, time);
        foreach (var file in options.OpenSecrets)
        {
            LogOpenSecret(application.Services.GetRequiredService<ILogger<WorkerServer>>(), file);
        }

        try
        {
            await application.StartAsync(cancellationToken);
        }
        catch
        {
            telemetry?.Dispose();
            metrics.Dispose();
            await application.DisposeAsync();
            throw;
        }

        return new WorkerServer(application, options, state, metrics, telemetry, observer, time);
    }

    /// <summary>The model is loaded: answer requests with it. Its engine tells <see cref="Observer"/>.</summary>
    public void BecomeReady(ServedModel model)
    {
        if (_options.IsolatesCacheByKey)
        {
            var requests = _application.Services.GetRequiredService<IHttpContextAccessor>();
            model = model with { Engine = new KeyIsolatedEngine(model.Engine, () => Authentication.KeyOf(requests.HttpContext)) };
        }

        _state.BecomeReady(model);
    }

    /// <summary>Readiness off at once, new work refused, running requests finished within the shutdown timeout, the rest aborted; then the
    /// ports close.</summary>
    public async Task DrainAsync()
    {
        var started = _time.GetTimestamp();
        _state.BeginDraining();
        if (_state.Model is { } model)
        {
            await model.Engine.DrainAsync(_options.ShutdownTimeout);
        }

        // Every generation has ended; what is left is writing the last bytes of their responses. Whoever reads slowly has the whole timeout
        // for it, too.
        var left = _options.ShutdownTimeout - _time.GetElapsedTime(started);
        using var lastBytes = new CancellationTokenSource(left > LastBytesTimeout ? left : LastBytesTimeout, _time);
        await _application.StopAsync(lastBytes.Token);
    }

    /// <summary>The model can be computed no more: probes fail, new work is refused, and running requests get a few seconds to be told;
    /// then the ports close.</summary>
    /// <param name="reason">What callers are told.</param>
    public async Task FailAsync(string reason)
    {
        _state.Fail(reason);
        using var lastBytes = new CancellationTokenSource(LastBytesTimeout, _time);
        if (_state.Model is { } model)
        {
            // Whatever runs ends with the step that fails; an engine that cannot even fail is not waited for.
            await model.Engine.DrainAsync(LastBytesTimeout).WaitAsync(lastBytes.Token)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await _application.StopAsync(lastBytes.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _application.DisposeAsync();
        _telemetry?.Dispose();
        _metrics.Dispose();
    }

    private Uri Address(int listener)
    {
        var addresses = _application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
        return new Uri(addresses.ElementAt(listener));
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{File} holds a secret and every user of this machine can read it; chmod 600 it, or mount it with defaultMode 0400")]
    private static partial void LogOpenSecret(ILogger logger, string file);

    private sealed class SilentLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
