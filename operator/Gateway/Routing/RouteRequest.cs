using Cluster.Operator.Controller;
using Cluster.Operator.Gateway.Replicas;

namespace Cluster.Operator.Gateway.Routing;

/// <summary>What a replica is wanted for.</summary>
/// <param name="Flow">Whose request it is: requests of different flows wait in fair turns.</param>
/// <param name="PromptTokens">An estimate.</param>
/// <param name="MaxTokens">The most that may come, of all sequences together.</param>
/// <param name="Blocks">Beginnings of the prompt, see <see cref="PromptBlocks"/>.</param>
internal sealed record RouteRequest(string Model, string Flow, int Sequences, int PromptTokens, int MaxTokens, ulong[] Blocks)
{
    private readonly HashSet<ReplicaIdentity> _failed = [];

    /// <summary>Tokens to compute.</summary>
    public long Cost => (long)PromptTokens + MaxTokens;

    /// <summary>The deployment that has begun the answer: another one may have another model under the same name.</summary>
    public NamespacedName? Deployment { get; private set; }

    /// <summary>What its replica was made from: after a rollout, the same deployment may have another model.</summary>
    public string? Template { get; private set; }

    public void HasFailed(ReplicaIdentity replica) => _failed.Add(replica);

    /// <summary>The client has something of the answer: only replicas like this one can go on with it.</summary>
    public void HasBegun(ServingReplica replica) => (Deployment, Template) = (replica.Deployment, replica.Template);

    /// <summary>Whether a replica could answer, or go on with the answer.</summary>
    public bool IsFor(ServingReplica replica) => IsLike(replica) && !_failed.Contains(replica.Identity);

    /// <summary>Whether it is made from the same as the one that has begun.</summary>
    public bool IsLike(ServingReplica replica) =>
        Deployment is not { } begun || (begun == replica.Deployment && Template == replica.Template);
}
