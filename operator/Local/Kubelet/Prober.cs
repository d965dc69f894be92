using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;

namespace Cluster.Operator.Local.Kubelet;

/// <summary>Runs one probe once. Called by <see cref="PodRunner"/>.</summary>
internal sealed class Prober : IDisposable
{
    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, PooledConnectionLifetime = TimeSpan.Zero });

    /// <summary>Null when the probe succeeded, else why not, as the kubelet words it.</summary>
    public async Task<string?> FailureAsync(ProbeSpec probe, string podIP, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(probe.Timeout);
        try
        {
            return probe.Kind switch
            {
                ProbeKind.Http => await HttpAsync(probe, podIP, timeout.Token),
                ProbeKind.Tcp => await TcpAsync(probe, podIP, timeout.Token),
                ProbeKind.Grpc => await GrpcAsync(probe, podIP, timeout.Token),
                _ => await ExecAsync(probe, timeout.Token),
            };
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return $"no answer within {probe.Timeout.TotalSeconds} s";
        }
        catch (Exception exception) when (exception is HttpRequestException or SocketException or IOException or InvalidOperationException)
        {
            return exception.Message;
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task<string?> HttpAsync(ProbeSpec probe, string podIP, CancellationToken cancellationToken)
    {
        using var response = await _http.GetAsync(
            new Uri($"http://{podIP}:{probe.Port}{probe.Path}"), HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        var status = (int)response.StatusCode;
        return status is >= 200 and < 400 ? null : $"HTTP probe failed with statuscode: {status}";
    }

    private static async Task<string?> TcpAsync(ProbeSpec probe, string podIP, CancellationToken cancellationToken)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(podIP, probe.Port, cancellationToken);
        return null;
    }

    /// <summary>grpc.health.v1.Health/Check by hand: one length-prefixed message each way; SERVING is 1.</summary>
    private async Task<string?> GrpcAsync(ProbeSpec probe, string podIP, CancellationToken cancellationToken)
    {
        var service = Encoding.UTF8.GetBytes(probe.Service);
        byte[] message = service.Length == 0 ? [] : [0x0a, (byte)service.Length, .. service];
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://{podIP}:{probe.Port}/grpc.health.v1.Health/Check")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent([0, 0, 0, 0, (byte)message.Length, .. message]),
        };
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        using var response = await _http.SendAsync(request, cancellationToken);
        var body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        return body.AsSpan().SequenceEqual<byte>([0, 0, 0, 0, 2, 0x08, 1]) ? null : "service unhealthy (not SERVING)";
    }

    private static async Task<string?> ExecAsync(ProbeSpec probe, CancellationToken cancellationToken)
    {
        using var process = Process.Start(
            new ProcessStartInfo(probe.Command[0], probe.Command.Skip(1)) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        try
        {
            await process.WaitForExitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        return process.ExitCode == 0 ? null : $"command exited with {process.ExitCode}";
    }
}
