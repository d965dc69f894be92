namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>Weights of the norms of queries and keys.</summary>
internal enum QueryKeyNorms
{
    None,

    /// <summary>As many as a head has values: all heads share them.</summary>
    SharedByHeads,

    /// <summary>As many as all heads have together.</summary>
    AllHeads,
}
