namespace Cluster.Worker.Compute;

/// <summary>What a group of experts is chosen by, see <see cref="ExpertRouting.Groups"/>.</summary>
internal enum GroupScore
{
    /// <summary>Its best expert (DeepSeek-V2's <c>group_limited_greedy</c>).</summary>
    Largest,

    /// <summary>Its two best experts together (DeepSeek-V3's <c>noaux_tc</c>).</summary>
    SumOfTwo,
}
