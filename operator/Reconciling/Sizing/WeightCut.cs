namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>How ranks share a matrix (Megatron-LM): the worker's <c>Shard</c> says the same of what it loads.</summary>
internal enum WeightCut
{
    /// <summary>All of it is on every GPU: norms, routers, biases, the latent projections of DeepSeek.</summary>
    None,

    /// <summary>By outputs, in parts of one size.</summary>
    Outputs,

    /// <summary>By inputs, in parts of one size.</summary>
    Inputs,

    /// <summary>By KV heads; where there are fewer of them than GPUs, several have the same one.</summary>
    KvHeads,

    /// <summary>By tokens of the vocabulary, in parts that need not be of one size.</summary>
    Vocabulary,
}
