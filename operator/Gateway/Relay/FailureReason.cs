namespace Cluster.Operator.Gateway.Relay;

/// <summary>Why a replica does not go on with a request.</summary>
/// <param name="Word">For metrics.</param>
/// <param name="Text">For people.</param>
/// <param name="IsLost">The replica is gone, or will be: another one, or its next life, can answer. Otherwise, it has answered what it
/// should not have, and another one may do the same.</param>
internal readonly record struct FailureReason(string Word, string Text, bool IsLost)
{
    public static FailureReason Unreachable(string text) => new("unreachable", text, IsLost: true);

    public static FailureReason Broken(string text) => new("broken", text, IsLost: true);

    public static FailureReason Silent { get; } = new("silent", "it sent nothing and did not say that it lives", IsLost: true);

    public static FailureReason Unavailable(string text) => new("unavailable", text, IsLost: true);

    public static FailureReason Garbled(string text) => new("garbled", text, IsLost: false);

    public static FailureReason Error(string text) => new("error", text, IsLost: false);
}
