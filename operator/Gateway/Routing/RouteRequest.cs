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
    public NamespacedName? Deployment { get; set; }

    /// <summary>Replicas that have failed this request.</summary>
    public IReadOnlySet<ReplicaIdentity> Failed => _failed;

    public void HasFailed(ReplicaIdentity replica) => _failed.Add(replica);
}
