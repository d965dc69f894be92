using System.Globalization;

namespace Cluster.Operator.Api;

/// <summary>Names of the extended resources by which a node agent's device plugin offers GPUs to its kubelet, one for each GPU, so that a
/// pod can ask for the very GPUs that the operator has booked for it. Both sides make them from the same annotation.</summary>
/// <remarks>By UUID, because the driver numbers GPUs anew when one has failed: what a running pod holds keeps its name. Kubernetes takes
/// letters, digits, '-', '_' and '.' in up to 63 characters after the domain.</remarks>
internal static class GpuResource
{
    public const string Prefix = ApiNames.Group + "/gpu-";

    private const string UuidPrefix = "GPU-";
    private const int UuidDigits = 16;

    /// <param name="uuidsAreUnique">Of the node, as <see cref="HaveUniqueUuids"/> says.</param>
    /// <returns><c>serving.cluster.sh/gpu-00a1b2c3d4e5f607</c>, or <c>serving.cluster.sh/gpu-index-3</c> where UUIDs tell
    /// nothing.</returns>
    public static string NameOf(GpuDevice gpu, bool uuidsAreUnique) => Prefix + IdOf(gpu, uuidsAreUnique);

    /// <summary>The part behind <see cref="Prefix"/>.</summary>
    public static string IdOf(GpuDevice gpu, bool uuidsAreUnique) =>
        uuidsAreUnique
        && gpu.Uuid is { Length: UuidDigits + 4 } uuid
        && uuid.StartsWith(UuidPrefix, StringComparison.Ordinal)
        && uuid.AsSpan(UuidPrefix.Length).IndexOfAnyExcept("0123456789abcdefABCDEF") < 0
            ? uuid[UuidPrefix.Length..].ToLowerInvariant()
            : string.Create(CultureInfo.InvariantCulture, $"index-{gpu.Index}");

    /// <summary>No two GPUs of a node report the same UUID (CPX partitions did before ROCm 7.0.1).</summary>
    public static bool HaveUniqueUuids(IEnumerable<GpuDevice> gpus) =>
        gpus.Where(g => g.Uuid is not null).GroupBy(g => g.Uuid, StringComparer.OrdinalIgnoreCase).All(g => g.Count() == 1);
}
