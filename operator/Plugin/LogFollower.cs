using System.Text;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling;
using k8s.Models;

namespace Cluster.Operator.Plugin;

/// <summary>The logs of all pods of a deployment in one stream of lines, each with its pod before it. Called by
/// <c>kubectl mdep logs</c>.</summary>
/// <remarks>Level-triggered: the pods are listed again and again, and every run of a container that is not being read yet is begun. So a
/// replica that comes later is followed, and so is a container that starts again.</remarks>
/// <param name="list">The pods as they are now.</param>
/// <param name="open">The log of one pod's container.</param>
/// <param name="write">Takes a line; called by one at a time.</param>
/// <param name="complain">Takes what cannot be read, in the same way.</param>
internal sealed class LogFollower(
    Func<CancellationToken, Task<IReadOnlyList<V1Pod>>> list, Func<V1Pod, LogRange, CancellationToken, Task<Stream>> open,
    Action<string, string> write, Action<string> complain, TimeProvider time)
{
    private const int MaxLineBytes = 1 << 20;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();

    /// <summary>The logs as they are, pod by pod.</summary>
    /// <returns>Whether any pod had one.</returns>
    public async Task<bool> PrintAsync(LogRange range, CancellationToken cancellationToken)
    {
        var any = false;
        foreach (var pod in await list(cancellationToken))
        {
            any |= await CopyAsync(pod, range, cancellationToken);
        }

        return any;
    }

    /// <summary>Until cancelled.</summary>
    public async Task FollowAsync(LogRange range, CancellationToken cancellationToken)
    {
        HashSet<string> known = new(StringComparer.Ordinal);
        Dictionary<string, Task<bool>> reading = new(StringComparer.Ordinal);
        var isFirst = true;
        while (true)
        {
            foreach (var pod in await list(cancellationToken))
            {
                // What began after we did is read from its beginning.
                if (RunOf(pod) is { } run && known.Add(run))
                {
                    reading[run] = CopyAsync(
                        pod, isFirst ? range : new LogRange(Follow: true, Timestamps: range.Timestamps), cancellationToken);
                }
            }

            isFirst = false;
            foreach (var (run, task) in reading.Where(one => one.Value.IsCompleted).ToList())
            {
                reading.Remove(run);
                if (!await task)
                {
                    // It may be that the container was not quite there.
                    known.Remove(run);
                }
            }

            await Task.Delay(Interval, time, cancellationToken);
        }
    }

    /// <summary>Names one run of a pod's container; null before the first.</summary>
    private static string? RunOf(V1Pod pod) =>
        pod.Status?.ContainerStatuses?.FirstOrDefault(container => container.Name == WorkerTemplate.ContainerName) is { } worker
            && (worker.State?.Running is not null || worker.State?.Terminated is not null)
            ? $"{pod.Metadata.Uid}/{worker.RestartCount}"
            : null;

    /// <returns>False when there was no log to read.</returns>
    private async Task<bool> CopyAsync(V1Pod pod, LogRange range, CancellationToken cancellationToken)
    {
        try
        {
            await using var stream = await open(pod, range, cancellationToken);
            LineReader lines = new(stream, MaxLineBytes);
            while (await lines.ReadAsync(cancellationToken) is { } line)
            {
                var text = Encoding.UTF8.GetString(line.Span).TrimEnd('\r');
                lock (_gate)
                {
                    write(pod.Metadata.Name, text);
                }
            }

            return true;
        }
        catch (KubernetesException error) when (error.StatusCode is 400 or 404)
        {
            // It has not started, or has gone: the list tells the next time.
            Complain(range.Follow ? null : $"{pod.Metadata.Name}: {error.Message}");
            return false;
        }
        catch (Exception error) when (error is IOException or InvalidDataException)
        {
            Complain($"{pod.Metadata.Name}: the log broke off: {error.Message}");
            return true;
        }
    }

    private void Complain(string? text)
    {
        if (text is not null)
        {
            lock (_gate)
            {
                complain(text);
            }
        }
    }
}
