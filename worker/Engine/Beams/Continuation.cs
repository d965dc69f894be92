namespace Cluster.Worker.Engine.Beams;

/// <summary>A token that a beam may go on with.</summary>
/// <param name="Logprob">Natural logarithm of its probability among the tokens that are allowed, by the adjusted logits.</param>
/// <param name="Logprobs">To report, by the model's own logits; null when nobody asked.</param>
internal readonly record struct Continuation(int TokenId, double Logprob, PositionLogprobs? Logprobs);
