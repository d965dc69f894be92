namespace Cluster.Architecture.Tests.Rooms;

/// <summary>Compares what breaks a rule with what is known to.</summary>
internal static class Known
{
    /// <summary>Fails with the whole of both differences: what is new, and what can be taken off the list.</summary>
    public static void Only(IEnumerable<string> known, IEnumerable<string> found)
    {
        var all = found.ToHashSet(StringComparer.Ordinal);
        var broken = all.Except(known).Order(StringComparer.Ordinal).ToList();
        var mended = known.Except(all).Order(StringComparer.Ordinal).ToList();
        Assert.True(
            broken.Count + mended.Count == 0,
            $"broken:\n{string.Join('\n', broken)}\nknown, but no longer broken:\n{string.Join('\n', mended)}");
    }
}
