using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Operator.Api;
using Cluster.Operator.Controller;
using Cluster.Operator.Kubernetes;
using Cluster.Operator.Reconciling.Sizing;

namespace Cluster.Operator.Reconciling;

/// <summary>Writes a status when it differs from the last one and records an event for each condition that turned. Numbers and
/// placements alone are written at most once a second, or a deployment of a hundred replicas would be written a hundred times as they
/// start.</summary>
internal sealed class StatusWriter(IKubernetesClient client, EventRecorder events, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    // Until the cache shows our last write, comparing with the cache would write, and report, the same transition twice.
    private readonly ConcurrentDictionary<NamespacedName, Entry> _written = new();

    // The watch may show a write before its answer is here, so what is sent counts and not what was answered.
    private readonly ConcurrentDictionary<NamespacedName, byte[]> _sent = new();

    /// <summary>The deployment with the newest status we know.</summary>
    public ModelDeployment Latest(ModelDeployment cached) =>
        _written.TryGetValue(NamespacedName.Of(cached), out var entry) && entry.CachedVersion == cached.Metadata.ResourceVersion
            ? entry.Written
            : cached;

    /// <summary>Whether all that a change brings is a status that we have written ourselves: that is no reason to look again.</summary>
    public bool IsOwnWrite(ObjectChange<ModelDeployment> change) =>
        change is { Type: ChangeType.Updated, Before: { } before, Object: { } now }
        && _sent.TryGetValue(NamespacedName.Of(now), out var sent)
        && Text(now.Status).AsSpan().SequenceEqual(sent)
        && HeadOf(before) == HeadOf(now);

    public void Forget(NamespacedName key)
    {
        _written.TryRemove(key, out _);
        _sent.TryRemove(key, out _);
    }

    /// <param name="cached">The deployment as the cache has it.</param>
    /// <exception cref="StatusRefusedException">The server does not take it. An event has told it.</exception>
    /// <returns>How long the rest has to wait: call again then. Zero when nothing is left to write.</returns>
    public async Task<TimeSpan> WriteAsync(ModelDeployment cached, ModelDeploymentStatus status, CancellationToken cancellationToken)
    {
        var latest = Latest(cached);

        // Most reconciles change nothing: text is compared before trees are built.
        var text = Text(status);
        if (text.AsSpan().SequenceEqual(Text(latest.Status)))
        {
            return TimeSpan.Zero;
        }

        var key = NamespacedName.Of(cached);
        if (_written.TryGetValue(key, out var last)
            && time.GetElapsedTime(last.At) is var ago
            && ago < Pause
            && !HasTurned(latest.Status, status))
        {
            return Pause - ago;
        }

        var wanted = KubernetesJson.ToJsonObject(status);
        var current = latest.Status is null ? null : KubernetesJson.ToJsonObject(latest.Status);

        NameWhatIsGone(wanted, current);
        _sent[key] = text;
        var answer = await SendAsync(cached, wanted, cancellationToken);
        _written[key] = new Entry(cached.Metadata.ResourceVersion, answer, time.GetTimestamp());
        if (status.Sizing is { TensorParallelSize: not null, Message: { } advice } && advice != latest.Status?.Sizing?.Message)
        {
            await events.RecordAsync(cached, EventType.Normal, "TensorParallelSizeChosen", advice, cancellationToken);
        }

        if (status.Autoscaling is { Message: { } why } scaled
            && latest.Status?.Autoscaling is { } earlier
            && earlier.DesiredReplicas != scaled.DesiredReplicas)
        {
            await events.RecordAsync(cached, EventType.Normal, "Rescaled", why, cancellationToken);
        }

        foreach (var condition in status.Conditions ?? [])
        {
            var before = latest.Status?.Conditions?.Find(c => c.Type == condition.Type);
            if (IsNews(before, condition))
            {
                var type = IsBad(condition) ? EventType.Warning : EventType.Normal;
                await events.RecordAsync(
                    cached, type, condition.Reason!, $"{condition.Type} is {condition.Status}: {condition.Message}", cancellationToken);
            }
        }

        return TimeSpan.Zero;
    }

    /// <summary>Writes down how tensorParallelSize auto was decided just now, and leaves the rest of the status alone.</summary>
    public async Task WriteDecisionAsync(ModelDeployment cached, SizeDecision size, CancellationToken cancellationToken)
    {
        if (size.IsNew)
        {
            await WriteAsync(cached, (Latest(cached).Status ?? new ModelDeploymentStatus()).With(size.Sizing), cancellationToken);
        }
    }

    /// <summary>Writes down how many replicas were decided on just now, and leaves the rest of the status alone.</summary>
    public async Task WriteDecisionAsync(ModelDeployment cached, AutoscalingStatus autoscaling, CancellationToken cancellationToken)
    {
        var status = Latest(cached).Status;
        if (status?.Autoscaling?.DesiredReplicas != autoscaling.DesiredReplicas)
        {
            await WriteAsync(cached, (status ?? new ModelDeploymentStatus()).With(autoscaling), cancellationToken);
        }
    }

    private async Task<ModelDeployment> SendAsync(ModelDeployment cached, JsonObject status, CancellationToken cancellationToken)
    {
        try
        {
            return await client.PatchAsync<ModelDeployment>(
                cached.Metadata.NamespaceProperty, cached.Metadata.Name, PatchType.Merge, new JsonObject { ["status"] = status }, "status",
                cancellationToken);
        }
        catch (KubernetesException e) when (Refusal.Stands(e))
        {
            // No condition can tell it.
            await events.RecordAsync(
                cached, EventType.Warning, Refusal.OfOther, $"the status cannot be written: {StableText.Of(e.Message, [])}",
                cancellationToken);
            throw new StatusRefusedException(e);
        }
    }

    /// <summary>A merge patch keeps what it does not name: fields that are no longer there must be named as null, at any depth.</summary>
    private static void NameWhatIsGone(JsonObject wanted, JsonObject? current)
    {
        foreach ((var field, var before) in current ?? [])
        {
            if (!wanted.TryGetPropertyValue(field, out var now))
            {
                wanted[field] = null;
            }
            else if (now is JsonObject inner)
            {
                NameWhatIsGone(inner, before as JsonObject);
            }
        }
    }

    /// <summary>Whether a condition, or the generation all of it is about, is another one: that is written at once.</summary>
    private static bool HasTurned(ModelDeploymentStatus? before, ModelDeploymentStatus now) =>
        before?.Conditions is null
            || before.ObservedGeneration != now.ObservedGeneration
            || before.Sizing?.InputsHash != now.Sizing?.InputsHash
            || before.Autoscaling?.DesiredReplicas != now.Autoscaling?.DesiredReplicas
        || !before.Conditions.Select(Essence).SequenceEqual((now.Conditions ?? []).Select(Essence));

    /// <summary>What of a condition somebody waits for: what is wrong with a worker is in the message.</summary>
    private static (string Type, string Status, string? Reason, string? Message) Essence(Condition condition) =>
        (condition.Type, condition.Status, condition.Reason, condition is { Type: "Degraded", Status: "True" } ? condition.Message : null);

    /// <summary>All but the status; the generation stands for the spec.</summary>
    private static string HeadOf(ModelDeployment deployment)
    {
        var metadata = KubernetesJson.ToJsonObject(deployment.Metadata);
        metadata.Remove("resourceVersion");
        metadata.Remove("managedFields");
        return CanonicalJson.Of(metadata);
    }

    private static byte[] Text(ModelDeploymentStatus? status) => JsonSerializer.SerializeToUtf8Bytes(status, KubernetesJson.Options);

    /// <summary>Turning bad is news, turning good again is, and so is another reason for being bad. The first "all is well" is
    /// not.</summary>
    private static bool IsNews(Condition? before, Condition now) =>
        IsBad(now) ? before is null || !IsBad(before) || before.Reason != now.Reason
        : before is not null && before.Status != now.Status && now.Status != "Unknown"
            && now.Type is not ("Progressing" or "NodeTuned" or "Autoscaling");

    private static bool IsBad(Condition condition) => condition switch
    {
        { Type: "Degraded", Status: "True" } => true,
        { Type: "GpusAllocated", Status: "False" } => condition.Reason != "Allocating",
        { Type: "NodeTuned", Status: "False" } => true,
        { Type: "Autoscaling", Status: "False" } => true,
        { Type: "Preloaded", Reason: "PreloadFailed" } => true,
        _ => false,
    };

    /// <param name="CachedVersion">Version of the deployment in the cache at that time.</param>
    /// <param name="At">Timestamp of the write.</param>
    private sealed record Entry(string? CachedVersion, ModelDeployment Written, long At);
}
