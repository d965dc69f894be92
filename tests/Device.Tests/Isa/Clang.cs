using System.Diagnostics;

namespace Cluster.Device.Tests.Isa;

/// <summary>A clang that compiles OpenCL C for AMD GPUs, in place of ROCm's.</summary>
internal static class Clang
{
    /// <summary>What the table in the documents was made with.</summary>
    public const string Program = "clang-19";

    /// <summary>The first line of <c>--version</c>; null where it is not installed.</summary>
    public static string? Version { get; } = FindVersion();

    /// <param name="source">OpenCL C.</param>
    /// <param name="architecture">Such as <c>gfx942</c>.</param>
    /// <returns>The assembly.</returns>
    /// <exception cref="InvalidOperationException">It does not compile; the message has the compiler's words.</exception>
    public static async Task<string> CompileAsync(string source, string architecture)
    {
        string[] arguments =
        [
            "-x", "cl", "-cl-std=CL3.0", "-target", "amdgcn-amd-amdhsa", $"-mcpu={architecture}", "-O3", "-nogpulib",
            "-mcode-object-version=5", "-Xclang", "-finclude-default-header", "-include",
            Path.Combine(AppContext.BaseDirectory, "Isa", "amd.h"), "-Wno-everything", "-S", "-o", "-", "-",
        ];
        using var process = Process.Start(new ProcessStartInfo(Program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(source);
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? await output : throw new InvalidOperationException(await errors);
    }

    private static string? FindVersion()
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(Program, "--version") { RedirectStandardOutput = true })!;
            return process.StandardOutput.ReadToEnd().Split('\n')[0];
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
