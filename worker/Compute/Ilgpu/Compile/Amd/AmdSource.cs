namespace Cluster.Worker.Compute.Ilgpu.Compile.Amd;

/// <summary>How OpenCL C becomes a code object, whichever compiler does it.</summary>
internal static class AmdSource
{
    private static readonly string Preamble = ReadPreamble();

    /// <summary>What every compilation has in common. Nothing is read from the compiler's folders: <c>amd.h</c> has all that is
    /// needed.</summary>
    public static IReadOnlyList<string> Options { get; } = ["-cl-no-stdinc", "-O3", "-nogpulib", "-mcode-object-version=5", "-w"];

    /// <summary>A kernel's text with what it needs before it.</summary>
    public static string Of(string text) => $"{Preamble}#line 1 \"kernel.cl\"\n{text}";

    private static string ReadPreamble()
    {
        using var file = typeof(AmdSource).Assembly.GetManifestResourceStream("amd.h")!;
        using var reader = new StreamReader(file);
        return reader.ReadToEnd();
    }
}
