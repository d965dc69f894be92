using System.Text.Json;

namespace Cluster.Worker.Models.Parallel;

/// <summary>What a rank tells rank 0 through its standard output while it starts: one line of JSON, with one of these set.</summary>
/// <param name="WeightsLoaded">It waits for <see cref="RankGroup.Begin"/> before its first operation with the others.</param>
/// <param name="Failure">It cannot go on, and ends.</param>
internal sealed record RankReport(bool WeightsLoaded = false, string? Failure = null)
{
    public string ToJson() => JsonSerializer.Serialize(this);

    /// <exception cref="JsonException">It is none.</exception>
    public static RankReport Parse(string json) =>
        JsonSerializer.Deserialize<RankReport>(json) ?? throw new JsonException("a report is null");
}
