namespace Cluster.Worker.Engine;

/// <summary>Random numbers without a state: each is a function of a seed and a position, so that a request draws the same ones whatever
/// else runs, and after a preemption.</summary>
/// <remarks>SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators") at an arbitrary place of its stream; the seed
/// is mixed first, because streams of neighbouring seeds would otherwise be shifted copies of each other.</remarks>
internal static class CounterRandom
{
    private const ulong GoldenGamma = 0x9e3779b97f4a7c15;

    /// <summary>64 random bits.</summary>
    public static ulong Bits(ulong seed, ulong position) => Mix(Mix(seed + GoldenGamma) + (position + 1) * GoldenGamma);

    /// <summary>A random number of 53 bits.</summary>
    public static ulong Bits53(ulong seed, ulong position) => Bits(seed, position) >> 11;

    /// <summary>Uniform in [0, 1): the same 53 bits behind the point.</summary>
    public static double Uniform(ulong seed, ulong position) => Bits53(seed, position) * (1.0 / (1UL << 53));

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
}
