using Cluster.Operator.Local.ApiServer.Spdy;

namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary>The streams of a command over SPDY (k8s.io/apimachinery/pkg/util/remotecommand, v4.channel.k8s.io): the client opens one for
/// each purpose, which the header <c>streamtype</c> names.</summary>
internal sealed class SpdyChannels : ISessionChannels
{
    /// <summary>The newest that a kubelet speaks over SPDY; older ones have no exit codes.</summary>
    public const string Protocol = "v4.channel.k8s.io";

    private static readonly TimeSpan OpeningLimit = TimeSpan.FromSeconds(30);

    private readonly SpdyConnection _connection;
    private readonly Task _receiving;
    private readonly Dictionary<string, SpdyStream> _streams;

    private SpdyChannels(SpdyConnection connection, Task receiving, Dictionary<string, SpdyStream> streams)
    {
        _connection = connection;
        _receiving = receiving;
        _streams = streams;
    }

    public Stream Input => Find("stdin");

    public Stream Output => Find("stdout");

    public Stream Error => Find("stderr");

    public Stream Sizes => Find("resize");

    /// <summary>Waits until the client has opened these streams.</summary>
    /// <exception cref="SpdyException">It does not.</exception>
    public static async Task<SpdyChannels> OpenAsync(Stream transport, IEnumerable<string> types, CancellationToken cancellationToken)
    {
        var connection = new SpdyConnection(transport);
        var receiving = connection.RunAsync(cancellationToken);
        var missing = types.ToHashSet(StringComparer.Ordinal);
        var streams = new Dictionary<string, SpdyStream>(StringComparer.Ordinal);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(OpeningLimit);
        while (missing.Count > 0)
        {
            if (!await connection.Accepted.WaitToReadAsync(limit.Token) || !connection.Accepted.TryRead(out var stream))
            {
                await receiving;
                throw new SpdyException($"the client went before it had opened {string.Join(", ", missing)}");
            }

            if (stream.Headers.TryGetValue("streamtype", out var type) && missing.Remove(type))
            {
                streams[type] = stream;
            }
            else
            {
                await connection.ResetAsync(stream, limit.Token);
                connection.Forget(stream);
            }
        }

        return new SpdyChannels(connection, receiving, streams);
    }

    public Task ReceiveAsync(CancellationToken cancellationToken) => _receiving.WaitAsync(cancellationToken);

    public async Task FinishAsync(byte[] status, CancellationToken cancellationToken)
    {
        await _streams["error"].WriteAsync(status, cancellationToken);
        foreach (var stream in _streams.Values)
        {
            await stream.FinishAsync(cancellationToken);
        }
    }

    public ValueTask DisposeAsync()
    {
        _connection.Dispose();
        return ValueTask.CompletedTask;
    }

    private Stream Find(string type) => _streams.TryGetValue(type, out var stream) ? stream : Stream.Null;
}
