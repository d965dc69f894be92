using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using Cluster.Worker.Compute.Ilgpu.Compile.Amd;

namespace Cluster.Worker.Tests.Compute.Ilgpu.Drivers;

/// <summary>Makes code objects for AMD GPUs, and of the same text programs for this processor that a fake GPU runs in their place: AMD's
/// instructions are functions of <c>waves.c</c> there, and arguments are taken from where the code object's metadata has them.</summary>
internal sealed partial class RunningCompiler(Clang clang, FakeGpu gpu) : ICodeObjectCompiler
{
    private static readonly string Sources = Path.Combine(AppContext.BaseDirectory, "Compute", "Ilgpu", "Drivers");
    private static readonly TemporaryFolder Made = new();
    private static readonly ConcurrentDictionary<(string Text, string Processor), Lazy<(byte[] Code, string Program)>> Built = new();
    private static readonly Lazy<string> Waves = new(() => Run(
        "cc", ["-O2", "-fPIC", "-c", Path.Combine(Sources, "waves.c"), "-o"], Path.Combine(Made.Path, "waves.o"), null));

    public string Name => clang.Name;

    public byte[] Compile(string text, string processor)
    {
        var (code, program) = Built.GetOrAdd((text, processor), key => new(() =>
        {
            var code = clang.Compile(key.Text, key.Processor);
            return (code, Build(key.Text, code));
        })).Value;
        gpu.Register(code, program);
        return code;
    }

    private string Build(string text, byte[] code)
    {
        var name = Path.Combine(Made.Path, $"{Guid.NewGuid():N}");
        var made = Run(
            clang.Name.Split(' ')[0],
            [
                "-x", "cl", "-cl-std=CL2.0", "-cl-no-stdinc", "-O2", "-mfma", "-mf16c", "-fPIC", "-w", "-include",
                Path.Combine(Sources, "wave.h"), "-c", "-", "-o",
            ],
            $"{name}.o", AmdSource.Of(text) + Entry(text, CodeObject.Read(code)));
        return Run("cc", ["-shared", Waves.Value, made, "-lm", "-o"], $"{name}.so", null);
    }

    /// <summary>Calls the kernel with what the block has where the code object's arguments are.</summary>
    private static string Entry(string text, CodeObject code)
    {
        var kernel = Signature().Match(text);
        var types = kernel.Groups[2].Value.Split(',').Select(parameter => parameter.Trim()[..parameter.Trim().LastIndexOf(' ')]).ToArray();
        var call = new StringBuilder($"\nvoid fake_enter(global char *block) {{ {kernel.Groups[1].Value}(");
        for (var i = 0; i < types.Length; i++)
        {
            var at = $"block + {code.Arguments[i].Offset}";
            call.Append(i == 0 ? "" : ", ").Append(types[i].EndsWith('*')
                ? $"({types[i]})*(global ulong *)({at})"
                : $"*(global {types[i]} *)({at})");
        }

        return call.Append("); }\n").ToString();
    }

    private static string Run(string program, IEnumerable<string> arguments, string output, string? input)
    {
        using var process = Process.Start(new ProcessStartInfo(program, [.. arguments, output])
        {
            RedirectStandardInput = true,
            RedirectStandardError = true,
        })!;
        var errors = process.StandardError.ReadToEndAsync();
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, errors.Result);
        return output;
    }

    [GeneratedRegex(@"kernel void (\w+)\(\s*(.*?)\)\s*\{", RegexOptions.Singleline)]
    private static partial Regex Signature();
}
