using System.Collections.Immutable;

namespace Cluster.Worker.Compute.Ilgpu.Launch.Hip;

/// <summary>An AMD GPU that HIP shows, in the order that <see cref="VisibleDevices.Variable"/> gives them.</summary>
/// <param name="Ordinal">HIP's number of it.</param>
/// <param name="SharedBytes">Shared memory of a group.</param>
internal sealed record HipDevice(HipLibrary Library, int Ordinal, DeviceDescription Description, long SharedBytes)
{
    public MatrixCores MatrixCores => AmdArchitecture.MatrixCoresOf(Description.Architecture!);

    /// <summary>None where there is no library or no GPU.</summary>
    /// <exception cref="InvalidOperationException">The driver fails.</exception>
    /// <exception cref="NotSupportedException">The library lacks a function.</exception>
    public static ImmutableArray<HipDevice> All() => All(HipLibrary.FileNames);

    /// <param name="fileNames">Where the library is looked for.</param>
    public static ImmutableArray<HipDevice> All(IReadOnlyList<string> fileNames) => HipLibrary.Find(fileNames) is { } library
        ? [.. Enumerable.Range(0, library.CountDevices()).Select(ordinal => Describe(library, ordinal))]
        : [];

    private static HipDevice Describe(HipLibrary library, int ordinal)
    {
        var properties = library.Properties(ordinal);
        return new HipDevice(
            library, ordinal,
            new DeviceDescription(
                "hip", properties.Name, library.Version(), IsGpu: true, properties.MemoryBytes, properties.Units)
            {
                Architecture = properties.Architecture,
                Uuid = library.Uuid(ordinal),
            },
            properties.SharedBytes);
    }
}
