namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary>The streams between a client and a command, however they travel: over a WebSocket (<see cref="RemoteChannels"/>) or over SPDY
/// (<see cref="SpdyChannels"/>).</summary>
internal interface ISessionChannels : IAsyncDisposable
{
    /// <summary>What the client sends to the command; ends when the client closes it or goes.</summary>
    Stream Input { get; }

    Stream Output { get; }

    Stream Error { get; }

    /// <summary>JSON objects of Width and Height.</summary>
    Stream Sizes { get; }

    /// <summary>Takes what the client sends.</summary>
    /// <returns>When the client has gone.</returns>
    Task ReceiveAsync(CancellationToken cancellationToken);

    /// <summary>Says how it ended and closes the streams.</summary>
    /// <param name="status">A Status, as JSON.</param>
    Task FinishAsync(byte[] status, CancellationToken cancellationToken);
}
