using Cluster.Operator.Api;
using Cluster.Operator.Reconciling;

namespace Cluster.Operator.Gateway.Page.Views;

/// <summary>How good a thing is, for a colour and a sign.</summary>
internal enum Tone
{
    Good,
    Busy,
    Bad,
    Quiet,
}

/// <param name="Title">What it says in two or three words.</param>
/// <param name="Words">Why, in a sentence.</param>
internal sealed record ConditionView(string Type, Tone Tone, string Title, string? Reason, string Words, DateTimeOffset? Since)
{
    public static ConditionView From(Condition condition)
    {
        var (tone, title) = (condition.Type, condition.Status) switch
        {
            ("Ready", "True") => condition.Reason == "ScaledToZero" ? (Tone.Quiet, "At zero") : (Tone.Good, "Serving"),
            ("Ready", "False") => (Tone.Busy, "Not all serving"),
            ("Progressing", "True") => (Tone.Busy, "Changing"),
            ("Progressing", "False") => condition.Reason == "Complete" ? (Tone.Good, "Up to date") : (Tone.Bad, "Stuck"),
            ("Degraded", "True") => (Tone.Bad, "Needs attention"),
            ("Degraded", "False") => (Tone.Good, "Healthy"),
            ("GpusAllocated", "True") => (Tone.Good, "GPUs held"),
            ("GpusAllocated", "False") => condition.Reason == "Allocating" ? (Tone.Busy, "Getting GPUs") : (Tone.Bad, "Lacks GPUs"),
            ("NodeTuned", "True") => (Tone.Good, "Nodes tuned"),
            ("NodeTuned", "False") => (Tone.Busy, "Nodes not tuned"),
            (var type, "True") => (Tone.Quiet, type),
            (var type, "False") => (Tone.Quiet, $"Not {type}"),
            (var type, _) => (Tone.Quiet, $"{type} unknown"),
        };
        return new ConditionView(
            condition.Type, tone, title, condition.Reason, condition.Message ?? condition.Reason ?? "", condition.LastTransitionTime);
    }
}

/// <summary>How far a change has come. All three are of <see cref="Wanted"/>.</summary>
/// <param name="Updated">Made from the current spec.</param>
/// <param name="Outdated">Still of an earlier one.</param>
internal sealed record RolloutView(int Wanted, int Ready, int Updated, int Outdated)
{
    public bool IsDone => Outdated == 0 && Ready >= Wanted && Updated >= Wanted;
}

/// <summary>A ModelDeployment with its replicas.</summary>
/// <param name="ServedName">The name that requests give as their <c>model</c>.</param>
/// <param name="Tone">The worst that a person should know.</param>
/// <param name="Words">How it is, in a sentence.</param>
internal sealed record DeploymentView(
    string Namespace, string Name, string ServedName, string Source, int? TensorParallelSize, string Allocation, Tone Tone, string Words,
    RolloutView Rollout, IReadOnlyList<ConditionView> Conditions, IReadOnlyList<ReplicaView> Replicas)
{
    /// <param name="pods">Worker pods of the deployment.</param>
    public static DeploymentView From(ModelDeployment deployment, IReadOnlyList<Replica> pods)
    {
        var status = deployment.Status;
        List<Replica> shown = [.. pods.OrderBy(p => p.Name, StringComparer.Ordinal)];
        List<Replica> active = [.. shown.Where(p => !p.Terminating && !p.Finished)];
        List<ConditionView> conditions = [.. (status?.Conditions ?? []).Select(ConditionView.From)];
        var currentHash = CurrentHash(active, status);
        var updated = active.Count(p => currentHash is null || p.TemplateHash == currentHash);
        var (tone, words) = Headline(deployment, conditions);
        return new DeploymentView(
            deployment.Metadata.NamespaceProperty ?? "", deployment.Metadata.Name,
            deployment.ServedName(), deployment.Spec.Model.Source,
            status?.TensorParallelSize ?? (deployment.Spec.TensorParallelSize is { IsAuto: false } size ? size.Degree : null),
            deployment.Spec.Gpu.Allocation.ToString(), tone, words,
            new RolloutView(
                deployment.Metadata.DeletionTimestamp is null ? deployment.Spec.Replicas : 0, active.Count(p => p.Ready), updated,
                active.Count - updated),
            conditions, [.. shown.Select(p => ReplicaView.From(p, currentHash))]);
    }

    /// <summary>The status counts pods of the current template and does not name it. Where it counts all, there is nothing to tell apart;
    /// else the youngest pod has it, or nobody has.</summary>
    private static string? CurrentHash(List<Replica> active, ModelDeploymentStatus? status)
    {
        var hashes = active.Select(p => p.TemplateHash).Distinct(StringComparer.Ordinal).Count();
        if (hashes == 0 || status is null || (hashes == 1 && status.UpdatedReplicas > 0))
        {
            return null;
        }

        return hashes == 1 && status.Replicas > 0 ? "" : active.MaxBy(p => p.Created)!.TemplateHash;
    }

    private static (Tone Tone, string Words) Headline(ModelDeployment deployment, List<ConditionView> conditions)
    {
        if (deployment.Metadata.DeletionTimestamp is not null)
        {
            return (Tone.Busy, Of("Progressing")?.Words ?? "is being deleted");
        }

        if (Of("Degraded") is { Tone: Tone.Bad } degraded)
        {
            return (Tone.Bad, degraded.Words);
        }

        if (Of("Progressing") is { Tone: not Tone.Good } progress)
        {
            return (progress.Tone, progress.Words);
        }

        return Of("Ready") is { } ready ? (ready.Tone, ready.Words) : (Tone.Busy, "not looked at by the operator yet");

        ConditionView? Of(string type) => conditions.Find(c => c.Type == type);
    }
}
