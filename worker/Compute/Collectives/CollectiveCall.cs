namespace Cluster.Worker.Compute.Collectives;

/// <summary>What a rank calls, in one word that the others compare with theirs: ranks that have fallen out of step are told so, not given
/// wrong sums.</summary>
internal static class CollectiveCall
{
    private const int NameBits = 4;

    private static readonly string[] Names = ["join", "barrier", "all-reduce", "all-gather", "broadcast"];

    public static readonly long Join = 0;
    public static readonly long Barrier = 1;

    public static long AllReduce(long bytes) => 2 | bytes << NameBits;

    public static long AllGather(long bytes) => 3 | bytes << NameBits;

    public static long Broadcast(long bytes) => 4 | bytes << NameBits;

    public static string Describe(long call)
    {
        var number = (int)(call & ((1 << NameBits) - 1));
        var name = number < Names.Length ? Names[number] : $"call {number}";
        return number < 2 ? name : $"{name} of {call >> NameBits} bytes";
    }
}
