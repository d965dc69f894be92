using System.Collections.Immutable;
using Cluster.Worker.Compute.Ilgpu.Compile.Ptx;

namespace Cluster.Worker.Compute.Ilgpu.Launch.Cuda;

/// <summary>An NVIDIA GPU, in the order that <c>CUDA_VISIBLE_DEVICES</c> gives them.</summary>
/// <param name="Target">What PTX is written for: <c>sm_90</c>.</param>
/// <param name="SharedBytes">Shared memory of a group.</param>
internal sealed record CudaDevice(CudaLibrary Library, int Handle, DeviceDescription Description, string Target, long SharedBytes)
{
    // Numbers of CUdevice_attribute.
    private const int MaxSharedBytes = 8;
    private const int Multiprocessors = 16;
    private const int Major = 75;
    private const int Minor = 76;

    public MatrixCores MatrixCores => PtxCompiler.MatrixCoresOf(Target);

    /// <summary>None where there is no library or no GPU.</summary>
    /// <exception cref="InvalidOperationException">The driver fails.</exception>
    /// <exception cref="NotSupportedException">The library lacks a function.</exception>
    public static ImmutableArray<CudaDevice> All() => All(CudaLibrary.FileNames);

    /// <param name="fileNames">Where the library is looked for.</param>
    public static ImmutableArray<CudaDevice> All(IReadOnlyList<string> fileNames) => CudaLibrary.Find(fileNames) is { } library
        ? [.. library.Devices().Select(device => Describe(library, device))]
        : [];

    private static CudaDevice Describe(CudaLibrary library, int device)
    {
        var (major, minor) = (library.Attribute(Major, device), library.Attribute(Minor, device));
        return new CudaDevice(
            library, device,
            new DeviceDescription(
                "cuda", library.NameOf(device), library.Version(), IsGpu: true, library.MemoryOf(device),
                library.Attribute(Multiprocessors, device))
            {
                Architecture = $"sm_{major}{minor}",
                Uuid = library.UuidOf(device),
            },
            PtxCompiler.TargetFor(major, minor), library.Attribute(MaxSharedBytes, device));
    }
}
