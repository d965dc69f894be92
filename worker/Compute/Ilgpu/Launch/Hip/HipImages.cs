using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Compile.Amd;
using Cluster.Worker.Compute.Ilgpu.Launch.Gpu;
using ILGPU.Runtime.OpenCL;

namespace Cluster.Worker.Compute.Ilgpu.Launch.Hip;

/// <summary>Code objects for AMD GPUs: those of the image's folder, those of an earlier run, and only then new ones.</summary>
/// <param name="processor"><c>gfx942</c>.</param>
/// <param name="driver">Name and version: the compiler comes with it, and with another what it has made is made anew. (To ask the compiler
/// itself would load it, which is large, also where there is nothing to compile.)</param>
/// <param name="prebuilt">Null where there are none.</param>
/// <param name="findCompiler">Asked once, when something must be compiled; null where there is none.</param>
internal sealed class HipImages(
    string processor, string driver, PrebuiltKernels? prebuilt, KernelCache cache, Func<ICodeObjectCompiler?> findCompiler)
    : IKernelImages
{
    private readonly ClCompiler _textCompiler = new(CLDeviceVendor.AMD);
    private readonly Lazy<ICodeObjectCompiler> _compiler = new(() => findCompiler() ?? throw new KernelBuildException(
        $"no compiler of AMD's code objects: there is none of {string.Join(", ", Comgr.FileNames)}, "
        + $"and no {string.Join(", ", Clang.Programs)}; install ROCm's comgr, or name a folder "
        + $"that 'kernels build' has made in {PrebuiltKernels.Variable}"));

    public KernelImage Of(Kernel kernel)
    {
        if (prebuilt?.Find(kernel, processor) is { } built)
        {
            return Image(kernel, built);
        }

        var text = _textCompiler.Compile(kernel, Intrinsics.Wave.MaxWaves, cache);
        try
        {
            return Image(kernel, cache.GetOrMake(
                ".co", [AmdSource.Of(text), string.Join(' ', AmdSource.Options), processor, driver],
                () => _compiler.Value.Compile(text, processor)));
        }
        catch (KernelBuildException exception) when (!exception.Message.StartsWith("kernel ", StringComparison.Ordinal))
        {
            throw new KernelBuildException($"kernel {kernel}: {exception.Message}", exception);
        }
    }

    /// <summary>The code object with what its metadata says; what it was made for must be what the device is.</summary>
    private KernelImage Image(Kernel kernel, byte[] bytes)
    {
        try
        {
            var code = CodeObject.Read(bytes);
            return AmdArchitecture.ProcessorOf(code.Processor) == processor
                ? new KernelImage(bytes, code.Kernel, code.Processor, code.LayoutFor(kernel))
                : throw new KernelBuildException($"kernel {kernel}: its code object is for {code.Processor}, the device is {processor}");
        }
        catch (FormatException exception)
        {
            throw new KernelBuildException($"kernel {kernel}: {exception.Message}", exception);
        }
    }
}
