namespace Cluster.Worker.Engine;

/// <summary>One request cannot go on. The engine and the other requests continue. HTTP 500, gRPC INTERNAL: the model computed no usable
/// logits, or its output could not be decoded.</summary>
internal sealed class GenerationFailedException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>What the request asks for cannot be gone on with. HTTP 400, gRPC INVALID_ARGUMENT.</summary>
    public bool IsRequestsFault { get; init; }
}
