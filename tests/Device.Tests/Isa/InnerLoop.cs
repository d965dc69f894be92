using System.Text.RegularExpressions;

namespace Cluster.Device.Tests.Isa;

/// <summary>The instructions of a kernel's innermost loop over its inputs, by what issues them. Waits, barriers and no-operations are not
/// counted as slots: the instruction buffer takes them without issuing anything (AMD, "GCN3 Instruction Set Architecture", 2016, 4.1).
/// </summary>
/// <param name="Matrix">v_mfma.</param>
/// <param name="Shared">Reads and writes of shared memory.</param>
/// <param name="Memory">Loads and stores of device memory.</param>
/// <param name="Moves">Between accumulators and other registers.</param>
/// <param name="Vector">All other arithmetic of lanes.</param>
/// <param name="Scalar">Arithmetic of the wave, and branches.</param>
/// <param name="WideLoads">Of <paramref name="Memory"/>, loads of 16 bytes a lane.</param>
internal sealed partial record InnerLoop(int Matrix, int Shared, int Memory, int Moves, int Vector, int Scalar, int WideLoads)
{
    /// <summary>Instructions that are issued in a round.</summary>
    public int Slots => Matrix + Shared + Memory + Moves + Vector + Scalar;

    /// <summary>Part of the slots that multiply or move what is multiplied through shared memory.</summary>
    public double Share => (Matrix + Shared) / (double)Slots;

    /// <param name="assembly">Of the kernel alone.</param>
    public static InnerLoop? Of(string assembly) =>
        InnermostLoops.Of([.. assembly.Split('\n').Select(line => line.Trim())], Label(), Branch()).Select(Count)
            .Where(loop => loop.Matrix > 0).MaxBy(loop => loop.Matrix);

    private static InnerLoop Count(string[] lines)
    {
        int Starting(params string[] prefixes) =>
            lines.Count(line => Array.Exists(prefixes, prefix => line.StartsWith(prefix, StringComparison.Ordinal)));
        var (matrix, moves) = (Starting("v_mfma"), Starting("v_accvgpr"));
        return new InnerLoop(
            matrix, Starting("ds_"), Starting("global_", "flat_", "buffer_", "scratch_"), moves, Starting("v_") - matrix - moves,
            Starting("s_") - Starting("s_waitcnt", "s_nop", "s_barrier"), Starting("global_load_dwordx4", "buffer_load_dwordx4"));
    }

    [GeneratedRegex(@"^(\.LBB\w+):")]
    private static partial Regex Label();

    [GeneratedRegex(@"^s_c?branch\w*\s+(\.LBB\w+)")]
    private static partial Regex Branch();
}
