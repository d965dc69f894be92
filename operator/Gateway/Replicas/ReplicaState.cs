using Cluster.Operator.Gateway.Routing;
using Cluster.Operator.Gateway.Traffic;

namespace Cluster.Operator.Gateway.Replicas;

/// <summary>What this gateway knows of one life of a replica by itself. Safe for threads.</summary>
internal sealed class ReplicaState(ReplicaIdentity identity)
{
    private long _tokens;
    private int _inFlight;
    private volatile bool _isSuspect;
    private volatile ReplicaLoad? _load;

    /// <summary>A number of its own, the same at every gateway.</summary>
    public ulong Hash { get; } = HashOf(identity.Uid);

    /// <summary>Sequences of this gateway's requests at it.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>Tokens of them that are still to compute; an estimate.</summary>
    public long Tokens => Interlocked.Read(ref _tokens);

    /// <summary>A connection to it failed, and it has not said since that it is ready.</summary>
    public bool IsSuspect
    {
        get => _isSuspect;
        set => _isSuspect = value;
    }

    /// <summary>What its metrics said last.</summary>
    public ReplicaLoad? Load
    {
        get => _load;
        set => _load = value;
    }

    public PrefixMemory Prefixes { get; } = new();

    /// <summary>Requests that others have sent to it, as its metrics tell: other gateways, or clients without one.</summary>
    public int ForeignRequests => _load is { } load ? Math.Max(0, load.Running + load.Waiting - InFlight) : 0;

    public void Enter(int sequences, long tokens)
    {
        Interlocked.Add(ref _inFlight, sequences);
        Interlocked.Add(ref _tokens, tokens);
    }

    /// <summary>Some tokens are done.</summary>
    public void Progress(long tokens) => Interlocked.Add(ref _tokens, -tokens);

    public void Leave(int sequences, long tokensLeft)
    {
        Interlocked.Add(ref _inFlight, -sequences);
        Interlocked.Add(ref _tokens, -tokensLeft);
    }

    private static ulong HashOf(string uid)
    {
        var hash = 0UL;
        foreach (var character in uid)
        {
            hash = PromptBlocks.Mix(hash, character);
        }

        return hash;
    }
}
