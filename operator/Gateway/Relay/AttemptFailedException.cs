namespace Cluster.Operator.Gateway.Relay;

/// <summary>A replica does not go on with a request; another one may.</summary>
/// <param name="answer">What it said, for the client if no other replica is left; null where it said nothing.</param>
internal sealed class AttemptFailedException(FailureReason reason, UpstreamAnswer? answer = null) : Exception(reason.Text)
{
    public FailureReason Reason { get; } = reason;

    public UpstreamAnswer? Answer { get; } = answer;
}

/// <summary>A whole answer of a worker.</summary>
internal sealed record UpstreamAnswer(int Status, string? ContentType, byte[] Body, string? RetryAfter);
