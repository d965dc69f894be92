namespace Cluster.Worker.Compute.Ilgpu.Launch;

/// <summary>What AMD's names of instruction sets tell: <c>gfx942:sramecc+:xnack-</c> is a processor with its settings.</summary>
internal static class AmdArchitecture
{
    private static readonly string[] WithMatrixCores = ["gfx90a", "gfx94", "gfx95"];

    /// <summary>The name without settings: code that does not say which it needs runs with any.</summary>
    public static string ProcessorOf(string name) => name.Split(':')[0];

    /// <summary>CDNA 2 and its successors: gfx90a, gfx94x, gfx950. gfx908 has other instructions for bf16, and computes without.</summary>
    public static MatrixCores MatrixCoresOf(string name) =>
        WithMatrixCores.Any(beginning => name.StartsWith(beginning, StringComparison.Ordinal)) ? MatrixCores.Mfma : MatrixCores.None;
}
