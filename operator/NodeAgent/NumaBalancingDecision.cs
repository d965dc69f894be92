using System.Globalization;

namespace Cluster.Operator.NodeAgent;

/// <summary>What to do about <c>kernel.numa_balancing</c>.</summary>
internal enum NumaBalancingAction
{
    Leave,

    /// <summary>Remember the value found, then write 0.</summary>
    TurnOff,

    /// <summary>Write the remembered value back, then forget it.</summary>
    Restore,

    /// <summary>Somebody else has set it since: only forget.</summary>
    Forget,
}

/// <summary>Decides what to do about <c>kernel.numa_balancing</c>. No I/O, no clock. Called by <see cref="NumaBalancingKeeper"/>.</summary>
internal static class NumaBalancingDecision
{
    /// <param name="wanted">Whether a pod of this node asks for it to be off; null when that is not known for sure.</param>
    /// <param name="current">Null where the kernel has no such switch.</param>
    /// <param name="found">The value remembered on the node, if any.</param>
    public static NumaBalancingAction Decide(bool? wanted, string? current, string? found) => wanted switch
    {
        true when current is not (null or NumaBalancingSwitch.Off) => NumaBalancingAction.TurnOff,
        false when found is not null =>
            current == NumaBalancingSwitch.Off && IsValue(found) ? NumaBalancingAction.Restore : NumaBalancingAction.Forget,
        _ => NumaBalancingAction.Leave,
    };

    /// <summary>Annotations can be edited by whoever may edit nodes; only a number goes to the kernel.</summary>
    private static bool IsValue(string found) =>
        found.Length <= 4 && ushort.TryParse(found, NumberStyles.None, CultureInfo.InvariantCulture, out _);
}
