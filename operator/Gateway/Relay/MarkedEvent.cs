namespace Cluster.Operator.Gateway.Relay;

/// <summary>What an event of a stream is about.</summary>
internal enum EventKind
{
    /// <summary>A part of a choice, or of the answer as a whole.</summary>
    Part,

    /// <summary><c>[DONE]</c>: nothing is missing.</summary>
    Done,

    /// <summary>The worker says that it cannot go on.</summary>
    Error,
}

/// <summary>One whole event of a worker's stream.</summary>
/// <param name="Bytes">As the client gets it: without the mark. Valid until the next event is read.</param>
/// <param name="Mark">Null where the worker has put none.</param>
internal readonly record struct MarkedEvent(ReadOnlyMemory<byte> Bytes, EventKind Kind, EventMark? Mark);

/// <summary>What a worker says of an event: <c>: cluster CHOICE TOKENS [cached=N]</c>, or <c>: cluster -</c>.</summary>
/// <param name="Choice">Null for an event that belongs to no choice.</param>
/// <param name="Tokens">What the choice has consumed since its last event.</param>
/// <param name="Cached">Tokens of the prompt that the worker had cached, where it says so.</param>
internal sealed record EventMark(int? Choice, int[] Tokens, int? Cached);
