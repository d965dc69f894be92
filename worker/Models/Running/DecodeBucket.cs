namespace Cluster.Worker.Models.Running;

/// <summary>Numbers of sequences that decode steps are filled up to, so that few graphs serve all: 1, 2, 4, 8, then multiples of
/// 16.</summary>
internal static class DecodeBucket
{
    private const int Step = 16;

    /// <param name="most">Most sequences of a step: the largest bucket.</param>
    public static int Of(int sequences, int most)
    {
        var bucket = sequences <= Step
            ? (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)sequences)
            : (sequences + Step - 1) / Step * Step;
        return Math.Min(bucket, most);
    }
}
