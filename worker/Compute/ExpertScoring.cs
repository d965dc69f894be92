namespace Cluster.Worker.Compute;

/// <summary>How a router's logits become the weights of experts.</summary>
internal enum ExpertScoring
{
    /// <summary>The softmax over all experts.</summary>
    Softmax,

    /// <summary>The softmax over the experts that were chosen, so that weights add up to 1.</summary>
    SoftmaxOfChosen,

    /// <summary>Each logit's own sigmoid.</summary>
    Sigmoid,

    /// <summary>Of each choice the softmax over the experts that are left and nearly as good, see
    /// <see cref="ExpertRouting.Jitter"/> (Liu et al., arXiv 2409.12136, as it infers).</summary>
    SparseMixer,
}
