using Cluster.Worker.Compute;

namespace Cluster.Worker.Startup;

/// <summary>How a model is spread over ranks. Used by <see cref="SpreadModel"/>.</summary>
/// <param name="Size">Ranks.</param>
/// <param name="Devices">One per rank, from <see cref="VisibleDevices.Variable"/>; null where it is not set.</param>
/// <param name="Timeout">Silence after which a rank counts as lost.</param>
internal sealed record RankOptions(int Size, IReadOnlyList<string>? Devices, TimeSpan Timeout)
{
    /// <summary>With the devices that the environment names.</summary>
    /// <exception cref="FormatException">There are not as many devices as ranks.</exception>
    public static RankOptions OfEnvironment(int size, TimeSpan timeout)
    {
        var visible = Environment.GetEnvironmentVariable(VisibleDevices.Variable);
        return new RankOptions(size, visible is null ? null : VisibleDevices.Require(visible, size, () => []), timeout);
    }
}
