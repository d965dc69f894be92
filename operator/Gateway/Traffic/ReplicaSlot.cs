namespace Cluster.Operator.Gateway.Traffic;

/// <summary>What one replica did in one slot of time.</summary>
internal sealed class ReplicaSlot
{
    /// <summary>Generated for clients of this gateway.</summary>
    public long Tokens { get; set; }

    /// <summary>As last read in the slot; null where nobody read it.</summary>
    public ReplicaLoad? Load { get; set; }

    /// <summary>Tokens looked up in the prefix cache in this slot, and found.</summary>
    public long PrefixQueries { get; set; }

    public long PrefixHits { get; set; }
}
