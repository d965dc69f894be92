using System.Collections.Concurrent;
using System.Diagnostics;
using Cluster.Worker.Compute.Ilgpu.Compile.Amd;

namespace Cluster.Device.Tests.Isa;

/// <summary>A clang that compiles kernels for AMD GPUs as the worker does, and writes their assembly.</summary>
/// <param name="Program">Such as <c>clang-19</c>.</param>
/// <param name="Version">The first line of <c>--version</c>.</param>
internal sealed record Assembler(string Program, string Version)
{
    /// <summary>Names the program for gfx950 where it is not on the path.</summary>
    public const string Variable = "CLUSTER_CLANG";

    private static readonly ConcurrentDictionary<string, Assembler?> Found = new();

    /// <summary>What the table in the documents is made with for an architecture; null where it is not installed. LLVM knows gfx950 since
    /// version 20.</summary>
    public static Assembler? For(string architecture) => Found.GetOrAdd(
        architecture != "gfx950" ? "clang-19"
            : Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } named ? named
            : "clang-22",
        Find);

    /// <param name="source">A kernel's OpenCL C.</param>
    /// <param name="architecture">Such as <c>gfx942</c>.</param>
    /// <exception cref="InvalidOperationException">It does not compile; the message has the compiler's words.</exception>
    public async Task<string> AssembleAsync(string source, string architecture)
    {
        using var process = Process.Start(
            new ProcessStartInfo(Program, [.. Clang.ArgumentsFor(architecture), "-S", "-o", "-", "-"])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(AmdSource.Of(source));
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? await output : throw new InvalidOperationException(await errors);
    }

    private static Assembler? Find(string program) =>
        Programs.VersionOf(program) is { } said ? new Assembler(program, said.Split('\n')[0]) : null;
}
