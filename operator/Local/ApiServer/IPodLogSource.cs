namespace Cluster.Operator.Local.ApiServer;

/// <summary>Which part of a log is wanted (v1.PodLogOptions).</summary>
/// <param name="Follow">Stay and write what comes, until the container ends or the call is cancelled.</param>
/// <param name="Previous">The container's last ended incarnation.</param>
/// <param name="Timestamps">Each line starts with its RFC 3339 time.</param>
/// <param name="TailLines">Only the last lines; null for all.</param>
/// <param name="Since">Only lines written at or after this time; null for all.</param>
/// <param name="LimitBytes">Stop after so many bytes; null for no limit.</param>
internal sealed record PodLogOptions(bool Follow, bool Previous, bool Timestamps, long? TailLines, DateTimeOffset? Since, long? LimitBytes);

/// <summary>Where container output is: implemented by the local node, called for <c>pods/NAME/log</c> after pod and container were found to
/// exist.</summary>
internal interface IPodLogSource
{
    /// <summary>Writes UTF-8 lines; flushes as they come when following.</summary>
    /// <exception cref="ApiException">When there is no such log, worded for the user, for instance 400 <c>container "worker" in pod "a" is
    /// waiting to start: ContainerCreating</c>.</exception>
    Task WriteLogAsync(
        string @namespace, string pod, string container, PodLogOptions options, Stream output, CancellationToken cancellationToken);
}
