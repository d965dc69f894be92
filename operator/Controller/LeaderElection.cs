using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.Common.Metrics;
using Cluster.Operator.Kubernetes;
using k8s.Models;

namespace Cluster.Operator.Controller;

/// <param name="Identity">Unique per process: pod name plus a random part.</param>
/// <param name="LeaseDuration">How long others wait after the last renewal they saw before they take over.</param>
/// <param name="RenewDeadline">How long the leader keeps leading without managing to renew; shorter than
/// <paramref name="LeaseDuration"/>.</param>
/// <param name="RetryPeriod">Pause between tries to acquire or renew.</param>
internal sealed record LeaderElectionOptions(
    string Namespace, string LeaseName, string Identity, TimeSpan LeaseDuration, TimeSpan RenewDeadline, TimeSpan RetryPeriod)
{
    public LeaderElectionOptions(string @namespace, string leaseName, string identity)
        : this(@namespace, leaseName, identity, TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(2))
    {
    }
}

/// <summary>At most one process leads: the one whose name is in a Lease it keeps renewing. Expiry is judged by when this
/// process last saw the Lease change, never by comparing the leader's clock with ours (client-go's rule).</summary>
internal sealed class LeaderElection(
    IKubernetesClient client, LeaderElectionOptions options, TimeProvider time, Random random, MetricsRegistry metrics, Readiness readiness,
    ILogger logger)
{
    private const string Check = "lease";

    private readonly GaugeSeries _leading = metrics.Gauge("leader_election_master_status", "1 while this process leads.", "name")
        .With(options.LeaseName);
    private string? _seenVersion;

    private string Name => $"{options.Namespace}/{options.LeaseName}";

    private long _seenAt;

    /// <summary>Waits to become the leader, runs <paramref name="lead"/>, and gives the Lease back when that ends. Losing the
    /// Lease cancels the token <paramref name="lead"/> was given.</summary>
    /// <returns>When <paramref name="lead"/> has ended or, before leading, when cancelled.</returns>
    /// <exception cref="LeadershipLostException">The Lease could not be renewed in time; the process should start over.</exception>
    public async Task RunAsync(Func<CancellationToken, Task> lead, CancellationToken cancellationToken)
    {
        long? held;
        try
        {
            // One that was won so long ago that others may hold it by now is tried for once more.
            while ((held = await TryAcquireOrRenewAsync(cancellationToken)) is not { } since
                || time.GetElapsedTime(since) >= options.RenewDeadline)
            {
                await Task.Delay(options.RetryPeriod * (1 + (0.2 * random.NextDouble())), time, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return;
        }

        logger.LogInformation("{Identity} leads {Lease}", options.Identity, options.LeaseName);
        _leading.Set(1);
        using var leadership = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var renewal = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var renewing = RenewAsync(held.Value, leadership, renewal.Token);
        try
        {
            await lead(leadership.Token);
        }
        catch (OperationCanceledException) when (leadership.IsCancellationRequested)
        {
            // Told to stop; which of the two reasons it was is looked at below.
        }
        finally
        {
            await renewal.CancelAsync();
            _leading.Set(0);
            readiness.Set(Check, isWell: false, $"{Name} is held no longer");
        }

        if (await renewing)
        {
            throw new LeadershipLostException(
                $"lease '{options.Namespace}/{options.LeaseName}' was not renewed within {options.RenewDeadline.TotalSeconds} s");
        }

        await ReleaseAsync();
    }

    /// <returns>True when leadership was lost, false when renewing was no longer wanted.</returns>
    private async Task<bool> RenewAsync(long renewedAt, CancellationTokenSource leadership, CancellationToken stop)
    {
        try
        {
            while (true)
            {
                await Task.Delay(options.RetryPeriod, time, stop);

                // A try that hangs must not outlive the deadline: others may lead by then.
                var left = options.RenewDeadline - time.GetElapsedTime(renewedAt);
                using CancellationTokenSource deadline = new(left > TimeSpan.Zero ? left : TimeSpan.Zero, time);
                using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, deadline.Token);
                long? renewed = null;
                try
                {
                    renewed = await TryAcquireOrRenewAsync(either.Token);
                }
                catch (OperationCanceledException) when (!stop.IsCancellationRequested)
                {
                    // The deadline passed; noticed below.
                }

                if (renewed is { } at)
                {
                    renewedAt = at;
                }
                else if (time.GetElapsedTime(renewedAt) >= options.RenewDeadline)
                {
                    logger.LogError("{Identity} lost {Lease}", options.Identity, options.LeaseName);
                    await leadership.CancelAsync();
                    return true;
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <returns>When the Lease was ours for sure, by our own clock: before the write was sent, since its answer may take its
    /// time while others count from the write. Null when it is not ours.</returns>
    private async Task<long?> TryAcquireOrRenewAsync(CancellationToken cancellationToken)
    {
        var asked = time.GetTimestamp();
        try
        {
            var lease = await FindAsync(cancellationToken);
            if (lease is null)
            {
                await client.CreateAsync<V1Lease>(Manifest(null, options.Identity, transitions: 0), cancellationToken);
                readiness.Set(Check, isWell: true, $"{Name} is held");
                return asked;
            }

            if (lease.Metadata.ResourceVersion != _seenVersion)
            {
                _seenVersion = lease.Metadata.ResourceVersion;
                _seenAt = time.GetTimestamp();
            }

            var holder = lease.Spec?.HolderIdentity ?? "";
            var mine = holder == options.Identity;
            if (!mine && holder.Length > 0 && time.GetElapsedTime(_seenAt) < options.LeaseDuration)
            {
                if (readiness.Set(Check, isWell: true, $"{Name} is held by {holder}; waiting for it"))
                {
                    logger.LogInformation("Lease {Lease} is held by {Holder}; waiting for it", Name, holder);
                }

                return null;
            }

            // Replacing with the version we read: of two that try at once, one gets a conflict.
            var transitions = (lease.Spec?.LeaseTransitions ?? 0) + (mine ? 0 : 1);
            var written = await client.ReplaceAsync<V1Lease>(Manifest(lease, options.Identity, transitions), null, cancellationToken);
            _seenVersion = written.Metadata.ResourceVersion;
            _seenAt = time.GetTimestamp();
            readiness.Set(Check, isWell: true, $"{Name} is held");
            return asked;
        }
        catch (Exception e) when (e is KubernetesException or HttpRequestException or IOException)
        {
            // Once for each change: the next try comes in two seconds.
            if (readiness.Set(Check, isWell: false, $"{Name} cannot be had: {e.Message}; waiting for it"))
            {
                logger.LogWarning("Lease {Lease} cannot be had: {Message}; waiting for it", Name, e.Message);
            }

            return null;
        }
    }

    private async Task<V1Lease?> FindAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await client.GetAsync<V1Lease>(options.Namespace, options.LeaseName, cancellationToken);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    /// <summary>Empties the holder, so that the next leader need not wait for the Lease to run out.</summary>
    private async Task ReleaseAsync()
    {
        using CancellationTokenSource limit = new(options.RetryPeriod, time);
        try
        {
            var lease = await client.GetAsync<V1Lease>(options.Namespace, options.LeaseName, limit.Token);
            if (lease.Spec?.HolderIdentity == options.Identity)
            {
                await client.ReplaceAsync<V1Lease>(Manifest(lease, "", lease.Spec.LeaseTransitions ?? 0), null, limit.Token);
            }
        }
        catch (Exception e) when (e is KubernetesException or HttpRequestException or IOException or OperationCanceledException)
        {
            logger.LogDebug("Lease {Lease} was not released and will run out: {Message}", options.LeaseName, e.Message);
        }
    }

    private JsonObject Manifest(V1Lease? current, string holder, int transitions)
    {
        var now = Timestamp(time.GetUtcNow().UtcDateTime);
        var renews = current is not null && current.Spec?.HolderIdentity == holder;
        JsonObject metadata = new() { ["name"] = options.LeaseName, ["namespace"] = options.Namespace };
        if (current is not null)
        {
            metadata["resourceVersion"] = current.Metadata.ResourceVersion;
        }

        return new JsonObject
        {
            ["apiVersion"] = "coordination.k8s.io/v1",
            ["kind"] = "Lease",
            ["metadata"] = metadata,
            ["spec"] = new JsonObject
            {
                ["holderIdentity"] = holder,
                ["leaseDurationSeconds"] = holder.Length == 0 ? 1 : (int)Math.Ceiling(options.LeaseDuration.TotalSeconds),
                ["acquireTime"] = renews && current!.Spec!.AcquireTime is { } since ? Timestamp(since) : now,
                ["renewTime"] = now,
                ["leaseTransitions"] = transitions,
            },
        };
    }

    /// <summary>metav1.MicroTime, which has six digits after the second even where they are zero: the library's writer leaves those
    /// out.</summary>
    private static string Timestamp(DateTime at) => at.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);
}

/// <summary>Another process may lead now; this one must stop acting at once.</summary>
internal sealed class LeadershipLostException(string message) : Exception(message);
