using System.Text.Json;
using System.Text.Json.Nodes;
using Cluster.Worker.Compute;
using Cluster.Worker.Compute.Collectives;
using Cluster.Worker.Models.Running;

namespace Cluster.Worker.Models.Parallel;

/// <summary>All that a rank needs to know, as rank 0 writes it into the standard input of the process that is to be the rank: one line of
/// JSON. Made by <see cref="RankGroup"/>, read by <see cref="RankSession"/>.</summary>
/// <param name="Version">Build of rank 0's program: ranks of different builds do not compute together.</param>
/// <param name="Group">File in which the ranks find each other.</param>
/// <param name="TimeoutSeconds">Silence after which a rank is taken for lost.</param>
/// <param name="Source">The checkpoint's folder, or a synthetic model.</param>
/// <param name="Device">What every rank computes on, such as <c>cpu</c>.</param>
/// <param name="Threads">Processor threads of this rank.</param>
/// <param name="MemoryBytes">Memory of this rank.</param>
internal sealed record RankSetup(
    string Version, int Rank, int Size, string Group, double TimeoutSeconds, string Source, string Device, int Threads, long MemoryBytes,
    ModelRunnerOptions Options)
{
    /// <summary>What activations were asked for in, where that makes a difference.</summary>
    public DType? DType { get; init; }

    public string ToJson() => JsonSerializer.Serialize(this);

    /// <exception cref="FormatException">It is the setup of another build, or none at all.</exception>
    public static RankSetup Parse(string json)
    {
        try
        {
            // Another build may know other properties, so only the version is read before it is found to be this one.
            var node = JsonNode.Parse(json);
            var version = (string?)node?[nameof(Version)];
            return version == SharedMemoryOptions.ThisBuild
                ? node.Deserialize<RankSetup>()!
                : throw new FormatException(
                    $"this is build {SharedMemoryOptions.ThisBuild} and rank 0 is {version ?? "of unknown build"}; all ranks must be of "
                    + "one build");
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new FormatException($"standard input holds no rank setup: {exception.Message}", exception);
        }
    }
}
