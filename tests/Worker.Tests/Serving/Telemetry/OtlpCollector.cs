using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.IO.Compression;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Cluster.Worker.Tests.Serving.Telemetry;

internal sealed record OtlpSpan(
    string TraceId, string Id, string ParentId, string Name, int Kind, ulong Start, ulong End, Dictionary<string, string> Attributes,
    ulong StatusCode);

internal sealed record OtlpMetric(
    string Name, string Kind, Dictionary<string, string> Attributes, double Value, ulong Count, bool IsMonotonic);

/// <summary>A collector on loopback that takes OTLP as <c>http/protobuf</c> and as <c>grpc</c> and keeps what it was told.</summary>
internal sealed class OtlpCollector : IAsyncDisposable
{
    private readonly WebApplication _app;

    private OtlpCollector(WebApplication app) => _app = app;

    public ConcurrentQueue<OtlpSpan> Spans { get; } = new();

    public ConcurrentQueue<OtlpMetric> Metrics { get; } = new();

    /// <summary>Of the last message.</summary>
    public Dictionary<string, string> Resource { get; private set; } = [];

    /// <summary>Where requests went, with their authorization header.</summary>
    public ConcurrentQueue<(string Path, string Authorization)> Requests { get; } = new();

    /// <param name="protocol"><c>http/protobuf</c> or <c>grpc</c>.</param>
    public Uri Address(string protocol) => new(_app.Urls.ElementAt(protocol == "grpc" ? 1 : 0));

    public static async Task<OtlpCollector> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0, listener => listener.Protocols = HttpProtocols.Http1);
            kestrel.Listen(IPAddress.Loopback, 0, listener => listener.Protocols = HttpProtocols.Http2);
        });
        var app = builder.Build();
        var collector = new OtlpCollector(app);
        app.MapPost("/v1/traces", context => collector.TakeAsync(context, collector.TakeTraces));
        app.MapPost("/v1/metrics", context => collector.TakeAsync(context, collector.TakeMetrics));
        app.MapPost(
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export", context => collector.TakeAsync(context, collector.TakeTraces));
        app.MapPost(
            "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            context => collector.TakeAsync(context, collector.TakeMetrics));
        await app.StartAsync();
        return collector;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task TakeAsync(HttpContext context, Action<OtlpMessage> take)
    {
        Requests.Enqueue((context.Request.Path, context.Request.Headers.Authorization.ToString()));
        using var buffer = new MemoryStream();
        await using (var body = context.Request.Headers.ContentEncoding == "gzip"
            ? new GZipStream(context.Request.Body, CompressionMode.Decompress)
            : context.Request.Body)
        {
            await body.CopyToAsync(buffer);
        }

        var bytes = buffer.ToArray();
        if (context.Request.ContentType!.StartsWith("application/grpc", StringComparison.Ordinal))
        {
            Assert.Equal(0, bytes[0]);
            Assert.Equal(bytes.Length - 5, BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(1)));
            take(new OtlpMessage(bytes[5..]));
            context.Response.ContentType = "application/grpc";
            await context.Response.Body.WriteAsync(new byte[5]);
            context.Response.AppendTrailer("grpc-status", "0");
            return;
        }

        Assert.Equal("application/x-protobuf", context.Request.ContentType);
        take(new OtlpMessage(bytes));
        context.Response.ContentType = "application/x-protobuf";
    }

    private void TakeTraces(OtlpMessage export)
    {
        foreach (var resource in export.Messages(1))
        {
            Resource = resource.Message(1)!.Attributes(1);
            foreach (var span in resource.Messages(2).SelectMany(scope => scope.Messages(2)))
            {
                Spans.Enqueue(new OtlpSpan(
                    span.Hex(1), span.Hex(2), span.Hex(4), span.Text(5), (int)span.Number(6), span.Number(7), span.Number(8),
                    span.Attributes(9), span.Message(15)?.Number(3) ?? 0));
            }
        }
    }

    private void TakeMetrics(OtlpMessage export)
    {
        foreach (var metric in export.Messages(1).SelectMany(resource => resource.Messages(2)).SelectMany(scope => scope.Messages(2)))
        {
            foreach (var (field, kind) in ((int, string)[])[(5, "gauge"), (7, "sum")])
            {
                foreach (var point in metric.Messages(field).SelectMany(all => all.Messages(1)))
                {
                    var value = point.Number(6) != 0 ? (long)point.Number(6) : point.Double(4);
                    Metrics.Enqueue(
                        new OtlpMetric(metric.Text(1), kind, point.Attributes(7), value, 0, metric.Message(field)!.Number(3) != 0));
                }
            }

            foreach (var point in metric.Messages(9).SelectMany(all => all.Messages(1)))
            {
                Assert.Equal(point.Number(4), point.Packed(6).Aggregate(0UL, (sum, bucket) => sum + bucket));
                Assert.Equal(point.Packed(6).Count(), point.Packed(7).Count() + 1);
                Metrics.Enqueue(new OtlpMetric(metric.Text(1), "histogram", point.Attributes(9), point.Double(5), point.Number(4), false));
            }
        }
    }
}
