namespace Cluster.Operator.NodeAgent;

/// <summary>How the agent is doing: written by <see cref="NodeAgentLoop"/> after every pass, read by the probes' endpoint from other
/// threads.</summary>
internal sealed class NodeAgentHealth(TimeProvider time, TimeSpan interval)
{
    /// <summary>Passes may be late by retries against a slow API server; this late, the loop hangs.</summary>
    private const int MissedPasses = 5;

    private volatile IReadOnlyList<string> _problems = ["no pass has been completed yet"];
    private long _lastPass = time.GetTimestamp();

    /// <summary>The loop turns, whether or not it gets anywhere: liveness.</summary>
    public bool IsAlive => time.GetElapsedTime(Volatile.Read(ref _lastPass)) < interval * MissedPasses;

    /// <summary>What keeps the agent from doing all of its work: readiness. Empty when nothing does.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>A pass has ended.</summary>
    public void Report(IReadOnlyList<string> found)
    {
        _problems = found;
        Volatile.Write(ref _lastPass, time.GetTimestamp());
    }
}
