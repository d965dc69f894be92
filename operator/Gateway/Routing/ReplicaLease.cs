using Cluster.Operator.Gateway.Replicas;

namespace Cluster.Operator.Gateway.Routing;

/// <summary>Room for one request at a replica, until it is disposed.</summary>
/// <param name="matchedBlocks">How much of the prompt's beginning the replica is believed to have.</param>
internal sealed class ReplicaLease(
    ServingDeployment deployment, ServingReplica replica, ReplicaState state, RouteRequest request, int matchedBlocks, Action released)
    : IDisposable
{
    private long _left = request.Cost;
    private bool _isReleased;

    public ServingDeployment Deployment { get; } = deployment;

    public ServingReplica Replica { get; } = replica;

    public ReplicaState State { get; } = state;

    public int MatchedBlocks { get; } = matchedBlocks;

    /// <summary>The replica has computed the prompt.</summary>
    public void PromptDone() => Progress(request.PromptTokens);

    /// <summary>Tokens have come.</summary>
    public void Progress(int tokens)
    {
        var done = Math.Min(tokens, _left);
        _left -= done;
        State.Progress(done);
    }

    /// <summary>Called by the one who handles the request.</summary>
    public void Dispose()
    {
        if (!_isReleased)
        {
            _isReleased = true;
            State.Leave(request.Sequences, _left);
            released();
        }
    }
}
