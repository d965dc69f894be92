namespace Cluster.Operator.Local.ApiServer;

/// <summary>The streams of one <c>kubectl exec</c> or <c>attach</c>. Null where the client has none.</summary>
internal sealed record SessionStreams(Stream? Input, Stream? Output, Stream? Error)
{
    /// <summary>The client wants a terminal, and tells here how large its window is and becomes; null where it wants none.</summary>
    public IAsyncEnumerable<TerminalSize>? Terminal { get; init; }
}

/// <summary>What goes on in running containers: implemented by the local node, called for <c>pods/NAME/exec</c>, <c>attach</c> and
/// <c>portforward</c> after the pod was found to exist.</summary>
internal interface IPodSessions
{
    /// <returns>The command's exit code, 128 + n for signal n.</returns>
    /// <exception cref="ApiException">The container does not run, or the command cannot be started.</exception>
    /// <exception cref="OperationCanceledException">The client went; the command has been killed.</exception>
    Task<int> ExecAsync(
        string @namespace, string pod, string container, IReadOnlyList<string> command, SessionStreams streams,
        CancellationToken cancellationToken);

    /// <summary>Joins the container's own streams until it ends.</summary>
    /// <exception cref="ApiException">The container does not run.</exception>
    /// <exception cref="OperationCanceledException">The client went.</exception>
    Task AttachAsync(
        string @namespace, string pod, string container, SessionStreams streams, CancellationToken cancellationToken);

    /// <summary>Opens a connection to a port of the pod.</summary>
    /// <exception cref="IOException">Nothing listens there, or the pod does not run.</exception>
    Task<System.Net.Sockets.Socket> ConnectAsync(string @namespace, string pod, int port, CancellationToken cancellationToken);
}
