namespace Cluster.Worker.Engine.Constraints;

/// <summary>The calls that wait for another rule to end: an immutable list, innermost first. Equal by content.</summary>
internal sealed class CallStack : IEquatable<CallStack>
{
    private readonly int _hash;

    /// <param name="returnTo">Where the calling rule goes on.</param>
    public CallStack(int returnTo, CallStack? outer)
    {
        ReturnTo = returnTo;
        Outer = outer;
        Depth = DepthOf(outer) + 1;
        _hash = unchecked((returnTo + 1) * (int)0x9E3779B1 ^ int.RotateLeft(outer?._hash ?? 0, 7));
    }

    public int ReturnTo { get; }

    public CallStack? Outer { get; }

    public int Depth { get; }

    public static int DepthOf(CallStack? stack) => stack?.Depth ?? 0;

    public bool Equals(CallStack? other)
    {
        var own = this;
        while (!ReferenceEquals(own, other))
        {
            if (own is null || other is null || own._hash != other._hash || own.Depth != other.Depth || own.ReturnTo != other.ReturnTo)
            {
                return false;
            }

            own = own.Outer;
            other = other.Outer;
        }

        return true;
    }

    public override bool Equals(object? obj) => Equals(obj as CallStack);

    public override int GetHashCode() => _hash;
}

/// <summary>One way to read the output so far: a node, and the calls that wait.</summary>
internal readonly record struct Configuration(int Node, CallStack? Stack);
