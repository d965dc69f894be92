namespace Cluster.Worker.Tests.Compute.Collectives;

/// <summary>What ranks contribute, and what all of them must hold then: the oracle of an all-reduce.</summary>
internal static class ScalarSums
{
    /// <summary>Values of mixed magnitudes: the order of a sum shows in its bits.</summary>
    public static float[] Values(int seed, int rank, int length)
    {
        var random = new Random(seed * 1000 + rank);
        return Enumerable.Range(0, length).Select(_ => (random.NextSingle() - 0.5f) * MathF.Pow(10, random.Next(-6, 7))).ToArray();
    }

    public static float[] InRankOrder(int seed, int size, int length)
    {
        var sums = Values(seed, 0, length);
        for (var rank = 1; rank < size; rank++)
        {
            var values = Values(seed, rank, length);
            for (var i = 0; i < length; i++)
            {
                sums[i] += values[i];
            }
        }

        return sums;
    }

    public static int[] Bits(float[] values) => Array.ConvertAll(values, BitConverter.SingleToInt32Bits);
}
