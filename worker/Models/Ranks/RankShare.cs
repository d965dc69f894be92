namespace Cluster.Worker.Models.Ranks;

/// <summary>What one of several ranks takes of a machine they share.</summary>
internal static class RankShare
{
    /// <summary>Threads of a rank: at least one, though ranks outnumber processors.</summary>
    public static int Threads(int threads, int ranks) => Math.Max(1, threads / ranks);

    /// <summary>The part of the options that is a rank's own: the KV cache has a part of each head's keys and values on each rank.</summary>
    public static ModelRunnerOptions Options(ModelRunnerOptions options, int ranks) => options with { KvCacheBytes = options.KvCacheBytes / ranks };
}
