using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Cluster.Operator.Kubernetes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Cluster.Operator.Tests.Kubernetes;

/// <summary>A real HTTP server on a loopback port that answers as a test says and remembers what it was asked.</summary>
internal sealed class ScriptedApiServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<Received> _received = new();
    private readonly ConcurrentQueue<Func<HttpContext, Task>> _script = new();

    private ScriptedApiServer(WebApplication app) => _app = app;

    /// <summary>What arrived, in order.</summary>
    public IReadOnlyList<Received> Requests => [.. _received];

    public Uri Address => new(_app.Urls.Single());

    public static async Task<ScriptedApiServer> StartAsync(X509Certificate2? tls = null, bool askForCertificate = false)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration()
            .ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            if (tls is not null)
            {
                listen.UseHttps(https =>
                {
                    https.ServerCertificate = tls;
                    https.ClientCertificateMode = askForCertificate
                        ? ClientCertificateMode.AllowCertificate
                        : ClientCertificateMode.NoCertificate;
                    https.AllowAnyClientCertificate();
                });
            }

            listen.Protocols = tls is null ? HttpProtocols.Http1 : HttpProtocols.Http1AndHttp2;
        }));
        ScriptedApiServer server = new(builder.Build());
        server._app.Run(server.AnswerAsync);
        await server._app.StartAsync();
        return server;
    }

    /// <summary>Adds the next answer.</summary>
    public ScriptedApiServer Then(Func<HttpContext, Task> answer)
    {
        _script.Enqueue(answer);
        return this;
    }

    /// <summary>Adds the next answer: a status and a JSON (or other) body.</summary>
    public ScriptedApiServer Then(int status, string body, params (string Name, string Value)[] headers) => Then(context =>
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        foreach ((var name, var value) in headers)
        {
            context.Response.Headers[name] = value;
        }

        return context.Response.WriteAsync(body);
    });

    public KubernetesClient Client(TimeProvider? time = null) =>
        KubernetesClient.Create(ClientConfiguration.ForToken(Address, "secret-token"), time, new Random(7));

    public async ValueTask DisposeAsync()
    {
        // A watch left open must not hold up the end of the test.
        using CancellationTokenSource now = new(TimeSpan.Zero);
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        using StreamReader reader = new(context.Request.Body);
        var body = await reader.ReadToEndAsync();
        _received.Enqueue(new Received(
            context.Request.Method,
            $"{context.Request.Path}{context.Request.QueryString}",
            context.Request.Protocol,
            context.Request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase),
            body,
            context.Connection.ClientCertificate?.Subject));
        if (_script.TryDequeue(out var answer))
        {
            await answer(context);
        }
        else
        {
            context.Response.StatusCode = 500;
            await context.Response.WriteAsync("the test has no more answers");
        }
    }

    /// <param name="Target">Path and query as sent.</param>
    internal sealed record Received(
        string Method, string Target, string Protocol, IReadOnlyDictionary<string, string> Headers, string Body,
        string? CertificateSubject);
}
