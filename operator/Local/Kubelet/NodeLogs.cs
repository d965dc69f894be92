using System.Globalization;
using System.Text;
using Cluster.Operator.Local.ApiServer;

namespace Cluster.Operator.Local.Kubelet;

/// <summary>Serves <c>kubectl logs</c> from the runners of a <see cref="LocalNode"/>.</summary>
internal sealed class NodeLogs : IPodLogSource
{
    /// <summary>Set once the node exists: the API server, which asks, is older than the node.</summary>
    public LocalNode? Node { get; set; }

    /// <summary>In the kubelet's words.</summary>
    private static string WhyWaiting(ContainerRunner? runner) => (string?)runner?.Status["state"]?["waiting"]?["reason"] switch
    {
        null => "ContainerCreating",
        "ErrImagePull" => "image can't be pulled",
        "ImagePullBackOff" => "trying and failing to pull image",
        var reason => reason,
    };

    public async Task WriteLogAsync(
        string @namespace, string pod, string container, PodLogOptions options, Stream output, CancellationToken cancellationToken)
    {
        var runner = Node?.FindContainer(@namespace, pod, container);
        var log = options.Previous ? runner?.PreviousLog : runner?.Log;
        if (log is null)
        {
            throw new ApiException(400, "BadRequest", options.Previous
                ? $"previous terminated container \"{container}\" in pod \"{pod}\" not found"
                : $"container \"{container}\" in pod \"{pod}\" is waiting to start: {WhyWaiting(runner)}");
        }

        var (lines, next, ended, changed) = log.Read(0);
        var wanted = lines.Where(line => options.Since is not { } since || line.Time >= since);
        if (options.TailLines is { } tail)
        {
            wanted = wanted.TakeLast((int)Math.Min(tail, int.MaxValue));
        }

        var left = options.LimitBytes ?? long.MaxValue;
        while (true)
        {
            foreach (var line in wanted)
            {
                var bytes = Encoding.UTF8.GetBytes(options.Timestamps
                    ? string.Create(
                        CultureInfo.InvariantCulture, $"{line.Time.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss.fffffff00'Z'} {line.Text}\n")
                    : line.Text + "\n");
                await output.WriteAsync(bytes.AsMemory(0, (int)Math.Min(bytes.Length, left)), cancellationToken);
                left -= bytes.Length;
                if (left <= 0)
                {
                    return;
                }
            }

            await output.FlushAsync(cancellationToken);
            if (!options.Follow || ended)
            {
                return;
            }

            await changed.WaitAsync(cancellationToken);
            (lines, next, ended, changed) = log.Read(next);
            wanted = lines;
        }
    }
}
