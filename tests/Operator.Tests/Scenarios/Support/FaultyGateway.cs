using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Cluster.Operator.Tests.Scenarios.Support;

/// <summary>One request as it passed a gateway.</summary>
/// <param name="Order">Global over all gateways of the process: who was first.</param>
internal sealed record GatewayRequest(long Order, string Method, string Path, string Query, string UserAgent, string Body)
{
    public bool IsWatch => Query.Contains("watch=true", StringComparison.Ordinal);

    public bool IsWrite => Method != "GET";

    public bool IsPodCreation => Method == "POST" && Path.EndsWith("/pods", StringComparison.Ordinal);

    /// <summary>Of the object in the body.</summary>
    public string Name => (string)JsonNode.Parse(Body)!["metadata"]!["name"]!;

    public bool IsEvent => Path.EndsWith("/events", StringComparison.Ordinal) || Path.Contains("/events/", StringComparison.Ordinal);
}

/// <summary>What a gateway does instead of forwarding.</summary>
/// <param name="StatusCode">0 breaks the connection without an answer.</param>
/// <param name="AnswerLost">The server gets the request all the same; only its answer never comes back.</param>
/// <param name="Message">Of the Status object that the API server would answer with; null for no body.</param>
internal sealed record Fault(int StatusCode, int? RetryAfterSeconds = null, bool AnswerLost = false, string? Message = null);

/// <summary>Stands between an operator and an API server: writes down every request and, when told to, refuses, breaks or holds
/// them back. So faults are the same whatever server is behind it.</summary>
internal sealed class FaultyGateway : IAsyncDisposable
{
    private static long _lastOrder;

    private readonly WebApplication _application;
    private readonly ConcurrentDictionary<CancellationTokenSource, GatewayRequest> _open = new();
    private readonly ConcurrentQueue<GatewayRequest> _requests = new();
    private HttpClient _upstream;
    private volatile bool _down;

    private FaultyGateway(WebApplication application, ServerAccess server)
    {
        _application = application;
        _upstream = server.NewHttpClient();
    }

    public Uri Address { get; private set; } = null!;

    /// <summary>In order of arrival, refused ones included.</summary>
    public IReadOnlyList<GatewayRequest> Requests => [.. _requests];

    public IEnumerable<GatewayRequest> Writes => Requests.Where(r => r.IsWrite);

    /// <summary>Asked for every request; null forwards.</summary>
    public Func<GatewayRequest, Fault?>? OnRequest { get; set; }

    /// <summary>Awaited before a request is forwarded: a slow server.</summary>
    public Func<GatewayRequest, Task>? BeforeForward { get; set; }

    /// <summary>As if the server's process had ended: every connection breaks, until false again.</summary>
    public bool Down
    {
        get => _down;
        set
        {
            _down = value;
            if (value)
            {
                Cut(_ => true);
            }
        }
    }

    /// <param name="port">Of the loopback address; 0 takes any free one.</param>
    public static async Task<FaultyGateway> StartAsync(ServerAccess server, int port = 0)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        var gateway = new FaultyGateway(builder.Build(), server);
        gateway._application.Run(gateway.HandleAsync);
        await gateway._application.StartAsync();
        gateway.Address = new Uri(
            gateway._application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        return gateway;
    }

    /// <summary>Breaks every watch in progress.</summary>
    public void CutWatches() => Cut(r => r.IsWatch);

    /// <summary>Another server from now on, at the old address.</summary>
    public void Retarget(ServerAccess server)
    {
        using var former = _upstream;
        _upstream = server.NewHttpClient();
        Cut(_ => true);
    }

    public async ValueTask DisposeAsync()
    {
        Down = true;
        await _application.DisposeAsync();
        _upstream.Dispose();
    }

    private async Task HandleAsync(HttpContext context)
    {
        // A context must not be aborted once its request is over; so its own handler does that, told by this.
        var broken = new CancellationTokenSource();
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(broken.Token, context.RequestAborted);
        try
        {
            using var reader = new StreamReader(context.Request.Body);
            var body = await reader.ReadToEndAsync(ending.Token);
            var request = new GatewayRequest(
                Interlocked.Increment(ref _lastOrder), context.Request.Method, context.Request.Path,
                context.Request.QueryString.Value ?? "", context.Request.Headers.UserAgent.ToString(), body);
            _requests.Enqueue(request);
            _open[broken] = request;
            if ((_down ? new Fault(0) : OnRequest?.Invoke(request)) is { } fault)
            {
                if (fault.AnswerLost)
                {
                    using var message = Message(context, request);
                    using var lost = await _upstream.SendAsync(message, ending.Token);
                }

                await RefuseAsync(context, fault);
                return;
            }

            if (BeforeForward is { } hold)
            {
                await hold(request).WaitAsync(ending.Token);
            }

            await ForwardAsync(context, request, ending.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or HttpRequestException or IOException)
        {
            context.Abort();
        }
        finally
        {
            _open.TryRemove(broken, out _);
        }
    }

    private void Cut(Func<GatewayRequest, bool> which)
    {
        foreach (var (broken, _) in _open.Where(o => which(o.Value)))
        {
            broken.Cancel();
        }
    }

    private static async Task RefuseAsync(HttpContext context, Fault fault)
    {
        if (fault.StatusCode == 0)
        {
            context.Abort();
            return;
        }

        context.Response.StatusCode = fault.StatusCode;
        if (fault.RetryAfterSeconds is { } seconds)
        {
            context.Response.Headers.RetryAfter = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        }

        if (fault.Message is { } message)
        {
            await context.Response.WriteAsJsonAsync(new
            {
                kind = "Status",
                apiVersion = "v1",
                status = "Failure",
                message,
                reason = fault.StatusCode switch { 401 => "Unauthorized", 403 => "Forbidden", _ => "InternalError" },
                code = fault.StatusCode,
            });
        }
    }

    private async Task ForwardAsync(HttpContext context, GatewayRequest request, CancellationToken cancellationToken)
    {
        using var message = Message(context, request);
        using var answer = await _upstream.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        context.Response.StatusCode = (int)answer.StatusCode;
        context.Response.ContentType = answer.Content.Headers.ContentType?.ToString();
        context.Features.Get<IHttpResponseBodyFeature>()!.DisableBuffering();

        // Starting alone sends nothing, and a watch may have nothing to say for long.
        await context.Response.StartAsync(cancellationToken);
        await context.Response.Body.FlushAsync(cancellationToken);
        await using var stream = await answer.Content.ReadAsStreamAsync(cancellationToken);
        var buffer = new byte[16 * 1024];
        int read;
        while ((read = await stream.ReadAsync(buffer, cancellationToken)) > 0)
        {
            await context.Response.Body.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            await context.Response.Body.FlushAsync(cancellationToken);
        }
    }

    private static HttpRequestMessage Message(HttpContext context, GatewayRequest request)
    {
        var message = new HttpRequestMessage(new HttpMethod(request.Method), context.Request.GetEncodedPathAndQuery());
        message.Headers.TryAddWithoutValidation("Accept", context.Request.Headers.Accept.ToString());
        message.Headers.TryAddWithoutValidation("User-Agent", request.UserAgent);
        if (request.Body.Length > 0)
        {
            message.Content = new StringContent(request.Body);
            message.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(context.Request.ContentType!);
        }

        return message;
    }
}
