namespace Cluster.Operator.Local.ApiServer;

/// <summary>The streams of one <c>kubectl exec</c>. Null where the client has none.</summary>
internal sealed record SessionStreams(Stream? Input, Stream? Output, Stream? Error);

/// <summary>Runs commands in containers: implemented by the local node, called for <c>pods/NAME/exec</c> after pod and container were found
/// to exist.</summary>
internal interface IPodSessions
{
    /// <returns>The command's exit code, 128 + n for signal n.</returns>
    /// <exception cref="ApiException">The container does not run, or the command cannot be started.</exception>
    /// <exception cref="OperationCanceledException">The client went; the command has been killed.</exception>
    Task<int> ExecAsync(
        string @namespace, string pod, string container, IReadOnlyList<string> command, SessionStreams streams,
        CancellationToken cancellationToken);
}
