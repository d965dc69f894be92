using System.Diagnostics;
using Cluster.Worker.Engine;
using Cluster.Worker.Serving.Metrics;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Cluster.Worker.Serving.Telemetry;

/// <summary>Pushes a span tree for each request, and the instruments of <see cref="WorkerMetrics"/>, to an OTLP collector. Exists only
/// where one is configured; made and disposed by <see cref="WorkerServer"/>.</summary>
/// <remarks>
/// <code>
/// POST /v1/chat/completions      server span, below the caller's traceparent   (RequestTracing)
/// └─ llm_request                 one for each prompt, with gen_ai attributes    (RequestSpans)
///    ├─ queue                    arrival until the scheduler first takes it
///    ├─ prefill                  until the first token
///    └─ decode                   until the last token of the last sequence
/// </code>
/// </remarks>
internal sealed class WorkerTelemetry : IDisposable
{
    /// <summary>The service's name unless <c>OTEL_SERVICE_NAME</c> or <c>OTEL_RESOURCE_ATTRIBUTES</c> say otherwise.</summary>
    private const string ServiceName = "cluster-worker";
    private const string SourceName = "Cluster.Worker";

    private readonly ActivitySource _source = new(SourceName, WorkerVersion.Current);
    private readonly TracerProvider? _tracing;
    private readonly MeterProvider? _metering;

    /// <summary>Starts the exporters. A collector that cannot be reached disturbs no request.</summary>
    public WorkerTelemetry(TelemetryOptions options)
    {
        if (options.Traces)
        {
            _tracing = Sdk.CreateTracerProviderBuilder()
                .ConfigureServices(services => services.AddSingleton(options.Environment))
                .SetResourceBuilder(Resource())
                .AddSource(SourceName)
                .AddOtlpExporter()
                .Build();
        }

        if (options.Metrics)
        {
            _metering = Sdk.CreateMeterProviderBuilder()
                .ConfigureServices(services => services.AddSingleton(options.Environment))
                .SetResourceBuilder(Resource())
                .AddMeter(WorkerMetrics.MeterName)
                .AddOtlpExporter()
                .Build();
        }
    }

    /// <summary>Gives every request that works a server span. To be outside of authentication, so that refusals are seen.</summary>
    public void Trace(IApplicationBuilder app) => app.Use((context, next) => RequestTracing.RunAsync(context, next, _source));

    /// <summary>Writes spans for each of the engine's requests; null where traces are not exported.</summary>
    public IEngineObserver? Requests(string modelName) => _tracing is null ? null : new RequestSpans(_source, modelName);

    /// <summary>Sends what has not been sent yet, for a few seconds at most.</summary>
    public void Dispose()
    {
        _tracing?.Dispose();
        _metering?.Dispose();
        _source.Dispose();
    }

    /// <summary>The environment comes last and wins.</summary>
    private static ResourceBuilder Resource() => ResourceBuilder.CreateEmpty()
        .AddService(ServiceName, serviceVersion: WorkerVersion.Current)
        .AddAttributes([new("host.name", Environment.MachineName)])
        .AddTelemetrySdk()
        .AddEnvironmentVariableDetector();
}
