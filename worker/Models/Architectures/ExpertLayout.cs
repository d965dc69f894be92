namespace Cluster.Worker.Models.Architectures;

/// <summary>How a checkpoint stores the experts of a layer.</summary>
internal enum ExpertLayout
{
    /// <summary>A linear layer each for gate, up and down of every expert.</summary>
    Separate,

    /// <summary>Two tensors for all experts: <c>[experts, gate + up, hidden]</c> and <c>[experts, hidden, intermediate]</c>.</summary>
    Stacked,

    /// <summary>The same, inputs first: <c>[experts, hidden, gate + up]</c> and <c>[experts, intermediate, hidden]</c>.</summary>
    Transposed,

    /// <summary>The same, gate and up taking turns.</summary>
    Interleaved,
}
