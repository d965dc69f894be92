namespace Cluster.Worker.Engine;

/// <summary>What another engine has generated of a request. This one goes on from there as if it had generated it itself: the tokens are
/// computed like a prompt, and count as output for everything else.</summary>
/// <param name="Tokens">By sequence; sequences without any may have empty lists, or none at the end.</param>
internal sealed record Resumption(IReadOnlyList<IReadOnlyList<int>> Tokens)
{
    public bool IsEmpty => Tokens.All(tokens => tokens.Count == 0);

    /// <summary>Those of a sequence, in order.</summary>
    public IReadOnlyList<int> Of(int sequence) => sequence < Tokens.Count ? Tokens[sequence] : [];
}
