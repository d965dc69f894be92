using System.Diagnostics;

namespace Cluster.Device.Tests.Ptx;

/// <summary>NVIDIA's assembler, which a driver has as well, and its disassembler: see <c>get-ptxas</c>.</summary>
/// <param name="Program">Such as <c>/usr/bin/ptxas</c>.</param>
/// <param name="Version">Such as <c>V11.8.89</c>.</param>
internal sealed record Ptxas(string Program, string Version)
{
    /// <summary>Names the program where it is not on the path.</summary>
    public const string Variable = "CLUSTER_PTXAS";

    private static readonly Lazy<Ptxas?> FoundOnce = new(Find);

    /// <summary>Null where it is not installed.</summary>
    public static Ptxas? Found => FoundOnce.Value;

    /// <param name="text">A kernel's PTX.</param>
    /// <param name="target">Such as <c>sm_90</c>.</param>
    /// <exception cref="InvalidOperationException">It is refused; the message has the assembler's words.</exception>
    public async Task<SassFacts> AssembleAsync(string text, string target)
    {
        var folder = Directory.CreateTempSubdirectory("ptxas");
        try
        {
            var (source, image) = (Path.Combine(folder.FullName, "kernel.ptx"), Path.Combine(folder.FullName, "kernel.cubin"));
            await File.WriteAllTextAsync(source, text);
            var said = await RunAsync(Program, ["-v", $"-arch={target}", "-o", image, source]);
            var disassembler = Path.Combine(Path.GetDirectoryName(Program) ?? "", "nvdisasm");
            return SassFacts.Of(said, await RunAsync(disassembler, ["-c", image]));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<string> RunAsync(string program, string[] arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        var said = await output + await errors;
        return process.ExitCode == 0 ? said : throw new InvalidOperationException(said);
    }

    private static Ptxas? Find()
    {
        var program = Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } named ? named : "ptxas";
        return Programs.VersionOf(program) is { } said
            ? new Ptxas(program, said.Split('\n').First(line => line.Contains("release", StringComparison.Ordinal)).Split(' ')[^1])
            : null;
    }
}
