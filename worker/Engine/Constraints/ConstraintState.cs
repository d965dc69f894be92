using System.Runtime.CompilerServices;

namespace Cluster.Worker.Engine.Constraints;

/// <summary>All ways to read the output so far, and what follows from them, filled in when first asked for. Made and changed by
/// <see cref="CompiledConstraint"/> only, under its lock.</summary>
internal sealed class ConstraintState : IEquatable<ConstraintState>
{
    private readonly int _hash;

    /// <param name="configurations">Those that can read a byte, in a fixed order.</param>
    /// <param name="isAccepting">Whether the output may end here.</param>
    public ConstraintState(Configuration[] configurations, bool isAccepting, int numClasses)
    {
        Configurations = configurations;
        IsAccepting = isAccepting;
        Next = new ConstraintState?[numClasses];
        var code = new HashCode();
        foreach (var configuration in configurations)
        {
            code.Add(configuration.Node);
            code.Add(configuration.Stack?.GetHashCode() ?? 0);
        }

        _hash = code.ToHashCode();
    }

    public Configuration[] Configurations { get; }

    public bool IsAccepting { get; }

    /// <summary>Whether nothing can follow but the end.</summary>
    public bool IsFinal => Configurations.Length == 0;

    /// <summary>The state after a byte, by the byte's class; null while unknown.</summary>
    public ConstraintState?[] Next { get; }

    /// <summary>Bit i of the vocabulary says whether token i may come next; null while unknown.</summary>
    public ulong[]? Mask { get; set; }

    /// <summary>About what it takes in memory, without its mask.</summary>
    public long Bytes => 128 + (Configurations.Length * (long)Unsafe.SizeOf<Configuration>()) + (Next.Length * (long)nint.Size);

    /// <summary>Lets go of what follows; it is made again when asked for.</summary>
    public void Forget()
    {
        Array.Clear(Next);
        Mask = null;
    }

    public bool Equals(ConstraintState? other) =>
        other is not null
            && _hash == other._hash
            && IsAccepting == other.IsAccepting
            && Configurations.AsSpan().SequenceEqual(other.Configurations);

    public override bool Equals(object? obj) => Equals(obj as ConstraintState);

    public override int GetHashCode() => _hash;
}
