using System.ComponentModel;
using System.Diagnostics;

namespace Cluster.Worker.Compute.Ilgpu.Compile.Amd;

/// <summary>ROCm's clang, or another with AMD's target and lld. Used by <c>kernels build</c>, and at run time where there is no
/// <see cref="Comgr"/>.</summary>
internal sealed class Clang : ICodeObjectCompiler
{
    private readonly string _program;

    private Clang(string program, string version)
    {
        _program = program;
        Name = $"{program} ({version})";
    }

    /// <summary>Where one is looked for: ROCm's own first, then newer before older.</summary>
    public static IReadOnlyList<string> Programs { get; } =
        ["/opt/rocm/llvm/bin/clang", "amdclang", "clang-22", "clang-21", "clang-20", "clang-19", "clang"];

    public string Name { get; }

    /// <summary>What every compilation is given: <see cref="AmdSource.Of"/> is read from standard input.</summary>
    public static IReadOnlyList<string> ArgumentsFor(string processor) =>
        ["-x", "cl", "-cl-std=CL2.0", "-target", "amdgcn-amd-amdhsa", $"-mcpu={processor}", .. AmdSource.Options];

    /// <summary>The first that is installed; null where none is.</summary>
    public static Clang? Find(params ReadOnlySpan<string> programs)
    {
        foreach (var program in programs)
        {
            if (VersionOf(program) is { } version)
            {
                return new Clang(program, version);
            }
        }

        return null;
    }

    public byte[] Compile(string text, string processor)
    {
        var output = Path.Combine(Path.GetTempPath(), $"cluster-kernel-{Guid.NewGuid():N}.co");
        try
        {
            using var process = Start(_program, [.. ArgumentsFor(processor), "-o", output, "-"]);
            var errors = process.StandardError.ReadToEndAsync();
            try
            {
                process.StandardInput.Write(AmdSource.Of(text));
                process.StandardInput.Close();
            }
            catch (IOException)
            {
                // It has ended without reading all of it: its exit code and its own words say why.
            }

            process.WaitForExit();
            return process.ExitCode == 0
                ? File.ReadAllBytes(output)
                : throw new KernelBuildException($"{Name} cannot build it for {processor}:\n{errors.Result.TrimEnd()}");
        }
        finally
        {
            File.Delete(output);
        }
    }

    private static string? VersionOf(string program)
    {
        try
        {
            using var process = Start(program, ["--version"]);
            process.StandardInput.Close();
            var line = process.StandardOutput.ReadLine();
            process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? line : null;
        }
        catch (Win32Exception)
        {
            return null;
        }
    }

    private static Process Start(string program, IReadOnlyList<string> arguments) => Process.Start(
        new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
}
