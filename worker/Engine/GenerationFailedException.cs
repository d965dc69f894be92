namespace Cluster.Worker.Engine;

/// <summary>One request cannot go on, through no fault of its sender: the model computed no usable logits, or its output could not be
/// decoded. The engine and the other requests continue. HTTP 500, gRPC INTERNAL.</summary>
internal sealed class GenerationFailedException(string message, Exception? inner = null) : Exception(message, inner);
