using System.Net.Sockets;

namespace Cluster.Operator.Tests.Scenarios.Support;

/// <summary>Whether a Docker engine answers, found out quickly: most machines have none, and on some it hangs.</summary>
/// <param name="Problem">Why it does not; null when it does.</param>
internal sealed record DockerEngine(string? Problem)
{
    private const string Variable = "DOCKER_HOST";
    private const string DefaultSocket = "/var/run/docker.sock";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    public bool Answers => Problem is null;

    /// <summary>The engine that <c>DOCKER_HOST</c> names, else the one at Docker's usual socket.</summary>
    public static Task<DockerEngine> FindAsync() => FindAsync(Environment.GetEnvironmentVariable(Variable), Patience);

    /// <param name="host">As in <c>DOCKER_HOST</c>; null or empty for the usual socket.</param>
    public static async Task<DockerEngine> FindAsync(string? host, TimeSpan patience)
    {
        host = string.IsNullOrEmpty(host) ? $"unix://{DefaultSocket}" : host;
        if (!Uri.TryCreate(host, UriKind.Absolute, out var address) || address.Scheme is not ("unix" or "tcp" or "http"))
        {
            return new DockerEngine($"{Variable} is {host}; asked are unix://PATH, tcp://HOST:PORT and http://HOST:PORT");
        }

        if (address.Scheme == "unix" && !File.Exists(address.LocalPath))
        {
            return new DockerEngine($"there is no Docker socket {address.LocalPath}");
        }

        using var limit = new CancellationTokenSource(patience);
        try
        {
            using var http = new HttpClient(HandlerFor(address)) { BaseAddress = new Uri($"http://{PlainHost(address)}/") };
            using var answer = await http.GetAsync(new Uri("_ping", UriKind.Relative), limit.Token);
            var text = (await answer.Content.ReadAsStringAsync(limit.Token)).Trim();
            return new DockerEngine(
                answer.IsSuccessStatusCode ? null : $"the Docker engine at {host} answers {(int)answer.StatusCode}: {text}");
        }
        catch (OperationCanceledException)
        {
            return new DockerEngine($"the Docker engine at {host} does not answer within {patience.TotalSeconds:0.#} s");
        }
        catch (HttpRequestException e)
        {
            return new DockerEngine($"no Docker engine at {host}: {e.GetBaseException().Message}");
        }
    }

    private static string PlainHost(Uri address) => address.Scheme == "unix" ? "docker" : address.Authority;

    private static SocketsHttpHandler HandlerFor(Uri address)
    {
        SocketsHttpHandler handler = new() { UseProxy = false };
        if (address.Scheme == "unix")
        {
            handler.ConnectCallback = (_, cancellationToken) => ConnectAsync(address.LocalPath, cancellationToken);
        }

        return handler;
    }

    private static async ValueTask<Stream> ConnectAsync(string path, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
