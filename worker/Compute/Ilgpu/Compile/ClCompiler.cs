using System.Text;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.OpenCL;
using ILGPU.Runtime.OpenCL;

namespace Cluster.Worker.Compute.Ilgpu.Compile;

/// <summary>Turns kernels into OpenCL C, without a device. Called by the OpenCL launcher where the kernel cache has no text yet, and by
/// <c>worker kernels</c>.</summary>
/// <param name="vendor">Decides which <see cref="Intrinsics.IntrinsicTable"/> entries are taken.</param>
internal sealed class ClCompiler(CLDeviceVendor vendor)
{
    /// <summary>The text of an earlier run, or new.</summary>
    public string Compile(Kernel kernel, int waves, KernelCache cache) => Encoding.UTF8.GetString(cache.GetOrMake(
        ".cl", [KernelCache.ThisBuild, kernel.Name, vendor == CLDeviceVendor.AMD ? "amd" : "other", $"{waves}"],
        () => Encoding.UTF8.GetBytes(Compile(kernel, waves))));

    /// <param name="waves">Waves of a group of a <see cref="Kernel.IsWide"/> kernel.</param>
    /// <exception cref="KernelBuildException">ILGPU cannot compile the method.</exception>
    public string Compile(Kernel kernel, int waves)
    {
        // A compilation that fails leaves a context unusable, so each kernel has one of its own.
        using var context = Contexts.Create();

        // float16, float64, generic address space, 64-bit atomics, subgroups: what kernels do not use costs nothing.
        using var backend = new CLBackend(context, new CLCapabilityContext(true, true, true, true, true), vendor, CLCVersion.CL30);
        try
        {
            var compiled = backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(kernel.Method), default);
            return ClSource.Improve(((CLCompiledKernel)compiled).Source, kernel.IsWide ? waves : 1);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            throw new KernelBuildException($"kernel {kernel}: ILGPU cannot compile it: {exception.GetBaseException().Message}", exception);
        }
    }
}
