using System.CommandLine;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Compile.Ptx;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU.Runtime.OpenCL;

namespace Cluster.Worker.Commands;

/// <summary><c>kernels</c>: the kernels of devices other than the CPU, and their text for whoever wants to read or compile
/// it. Needs no device.</summary>
internal static class KernelsCommand
{
    public static Command Create()
    {
        var emit = new Option<string?>("--emit")
        {
            Description = "Folder to write each kernel's OpenCL C to, as NAME.cl, or its PTX, as NAME.ptx.",
            HelpName = "DIR"
        };
        var target = OptionChecks.OneOf(
            "--target",
            "Whose instructions --emit may use: amd for AMD GPUs, other for OpenCL devices of which nothing is known, sm_80 or sm_90 for "
            + "NVIDIA GPUs.",
            "amd", "other", "sm_80", "sm_90");
        var command = new Command("kernels", "Lists the kernels of devices other than the CPU, or writes their OpenCL C or PTX.")
        {
            emit, target, KernelsBuildCommand.Create(),
        };
        command.Validators.Add(result =>
        {
            if (result.GetResult(target) is { Implicit: false } && result.GetValue(emit) is null)
            {
                result.AddError("--target says how to write kernels, so it needs --emit DIR");
            }
        });
        command.SetAction(async (arguments, cancellationToken) =>
        {
            if (arguments.GetValue(emit) is not { } folder)
            {
                foreach (var kernel in BackendKernels.All)
                {
                    Console.WriteLine(kernel.Name);
                }

                return;
            }

            var (compile, extension, kernels) = arguments.GetValue(target)! switch
            {
                "amd" => (Cl(CLDeviceVendor.AMD), ".cl", BackendKernels.WithMfma),
                "other" => (Cl(CLDeviceVendor.Other), ".cl", BackendKernels.WithoutMatrixCores),
                var processor => (
                    kernel => PtxCompiler.Compile(kernel, processor, Wave.MaxWaves), ".ptx", BackendKernels.WithMma),
            };
            Directory.CreateDirectory(folder);
            var bytes = await CountBar.RunAsync("kernels", report => EmitAsync(
                kernels, folder, compile, extension, report, cancellationToken));
            Console.WriteLine($"{kernels.Count} kernels for {arguments.GetValue(target)} in {folder}, {bytes} bytes");
        });
        return command;
    }

    private static Func<Kernel, string> Cl(CLDeviceVendor vendor)
    {
        var compiler = new ClCompiler(vendor);
        return kernel => compiler.Compile(kernel, Wave.MaxWaves);
    }

    /// <summary>Compiles on all processors: each compilation has a context of its own.</summary>
    /// <param name="report">Told how many are done, of how many, and a note.</param>
    /// <returns>Bytes written.</returns>
    private static async Task<long> EmitAsync(
        IReadOnlyList<Kernel> kernels, string folder, Func<Kernel, string> compile, string extension, Action<int, int, string> report,
        CancellationToken cancellationToken)
    {
        var gate = new Lock();
        var (done, bytes) = (0, 0L);
        await Parallel.ForEachAsync(kernels, cancellationToken, async (kernel, cancelled) =>
        {
            var text = compile(kernel);
            await WholeFile.WriteNamedAsync(Path.Combine(folder, kernel.FileName + extension), text, cancelled);
            lock (gate)
            {
                bytes += text.Length;
                report(++done, kernels.Count, $" {kernel.Name}");
            }
        });
        return bytes;
    }
}
