using Cluster.Worker.Compute.Ilgpu.Launch;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime.Cuda;

namespace Cluster.Worker.Compute.Ilgpu.Compile.Ptx;

/// <summary>Turns kernels into PTX, without a device. The driver makes machine code of it, for the processor it was written for and for
/// every later one.</summary>
internal static class PtxCompiler
{
    /// <summary>The newest that is written for; later processors run it.</summary>
    private static readonly CudaArchitecture Newest = CudaArchitecture.SM_90;

    /// <summary>The version of PTX that drivers of CUDA 11.8 and later read.</summary>
    private static readonly CudaInstructionSet Version = CudaInstructionSet.ISA_78;

    /// <param name="major">Compute capability of the device.</param>
    /// <returns><c>sm_90</c>.</returns>
    public static string TargetFor(int major, int minor) =>
        (major, minor).CompareTo((Newest.Major, Newest.Minor)) > 0 ? $"sm_{Newest.Major}{Newest.Minor}" : $"sm_{major}{minor}";

    /// <summary>The matrix instructions that a target has.</summary>
    /// <param name="target"><c>sm_90</c>.</param>
    public static MatrixCores MatrixCoresOf(string target) => target[3] >= '8' ? MatrixCores.Mma : MatrixCores.None;

    /// <param name="target"><c>sm_90</c>.</param>
    /// <param name="waves">Waves of a group of a <see cref="Kernel.IsWide"/> kernel.</param>
    /// <exception cref="KernelBuildException">ILGPU cannot compile the method.</exception>
    public static string Compile(Kernel kernel, string target, int waves)
    {
        // As in ClCompiler: a compilation that fails leaves a context unusable.
        using var context = Contexts.Create();
        var architecture = new CudaArchitecture(target[3] - '0', target[4] - '0');
        try
        {
            using var backend = new PTXBackend(context, new CudaCapabilityContext(architecture), architecture, Version, null);
            var compiled = backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(kernel.Method), default);
            return PtxSource.Improve(((PTXCompiledKernel)compiled).PTXAssembly, target, kernel.IsWide ? waves : 1);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            throw new KernelBuildException($"kernel {kernel}: ILGPU cannot compile it: {exception.GetBaseException().Message}", exception);
        }
    }
}
