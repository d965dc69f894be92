using System.CommandLine;
using Cluster.Worker.Compute.Ilgpu;
using Cluster.Worker.Compute.Ilgpu.Compile;
using Cluster.Worker.Compute.Ilgpu.Compile.Amd;
using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using ILGPU.Runtime.OpenCL;

namespace Cluster.Worker.Commands;

/// <summary><c>kernels build</c>: code objects for AMD GPUs, made ahead of time, so that a worker has nothing to compile when it starts.
/// Run where an image is built; needs a compiler, but no device.</summary>
internal static class KernelsBuildCommand
{
    public static Command Create()
    {
        var target = new Option<string>("--target")
        {
            Description = "Processors to build for, separated by commas.",
            HelpName = "gfx90a,gfx942,gfx950",
            Required = true,
        };
        var output = new Option<string>("--out")
        {
            Description = $"Folder to write to. A worker reads the one named in {PrebuiltKernels.Variable}, or kernels beside the program.",
            HelpName = "DIR",
            Required = true,
        };
        var compiler = new Option<string?>("--compiler")
        {
            Description = $"The clang to use. Default: the first of {string.Join(", ", Clang.Programs)}.",
            HelpName = "PROGRAM",
        };
        var command = new Command("build", "Builds all kernels for AMD GPUs ahead of time, with ROCm's clang or another.")
        {
            target, output, compiler,
        };
        command.Validators.Add(result =>
        {
            foreach (var processor in Split(result.GetValue(target)))
            {
                if (!IsProcessor(processor))
                {
                    result.AddError($"--target {processor}: must be names such as gfx942, separated by commas");
                }
            }
        });
        command.SetAction(async (arguments, cancellationToken) =>
        {
            var clang = arguments.GetValue(compiler) is { } named ? Clang.Find(named) : Clang.Find([.. Clang.Programs]);
            if (clang is null)
            {
                await Console.Error.WriteLineAsync(
                    $"no compiler: there is no {arguments.GetValue(compiler) ?? string.Join(", ", Clang.Programs)}. "
                    + "Install ROCm's compiler, or clang-19 and lld-19");
                return 1;
            }

            var targets = Split(arguments.GetValue(target));
            var folder = arguments.GetValue(output)!;
            Array.ForEach(targets, one => Directory.CreateDirectory(Path.Combine(folder, one)));
            try
            {
                var bytes = await CountBar.RunAsync("kernels", report => BuildAsync(clang, targets, folder, report, cancellationToken));
                PrebuiltKernels.WriteManifest(folder, targets, clang.Name);
                Console.WriteLine(
                    $"{BackendKernels.WithMfma.Count} kernels for {string.Join(", ", targets)} in {folder}, {bytes} bytes, by "
                    + $"{clang.Name}");
                return 0;
            }
            catch (KernelBuildException exception)
            {
                await Console.Error.WriteLineAsync(exception.Message);
                return 1;
            }
        });
        return command;
    }

    private static string[] Split(string? targets) =>
        [.. (targets ?? "").Split(',', StringSplitOptions.TrimEntries).Distinct(StringComparer.Ordinal)];

    private static bool IsProcessor(string name) =>
        name.StartsWith("gfx", StringComparison.Ordinal) && name.Length is >= 6 and <= 16 && name.All(char.IsAsciiLetterOrDigit);

    /// <returns>Bytes written.</returns>
    private static async Task<long> BuildAsync(
        Clang clang, string[] targets, string folder, Action<int, int, string> report, CancellationToken cancellationToken)
    {
        var texts = new ClCompiler(CLDeviceVendor.AMD);
        var gate = new Lock();
        var (done, bytes) = (0, 0L);
        await Parallel.ForEachAsync(BackendKernels.WithMfma, cancellationToken, (kernel, cancelled) =>
        {
            var text = texts.Compile(kernel, Wave.MaxWaves);
            foreach (var target in targets)
            {
                byte[] code;
                try
                {
                    code = clang.Compile(text, target);
                    _ = CodeObject.Read(code).LayoutFor(kernel);
                }
                catch (Exception exception) when (exception is KernelBuildException or FormatException)
                {
                    throw new KernelBuildException($"kernel {kernel}: {exception.Message}", exception);
                }

                cancelled.ThrowIfCancellationRequested();
                WholeFile.Write(PrebuiltKernels.PathOf(folder, target, kernel), code);
                lock (gate)
                {
                    bytes += code.Length;
                    report(++done, BackendKernels.WithMfma.Count * targets.Length, $" {kernel.Name}");
                }
            }

            return ValueTask.CompletedTask;
        });
        return bytes;
    }
}
