using System.Text.RegularExpressions;

namespace Cluster.Device.Tests.Ptx;

/// <summary>The instructions of a kernel's innermost loop over its inputs, by what issues them. Barriers, waits and what is never executed
/// are not counted.</summary>
/// <param name="Matrix">HMMA.</param>
/// <param name="Shared">Loads and stores of shared memory, copies to it included.</param>
/// <param name="Memory">Loads and stores of device memory.</param>
/// <param name="Moves">Between registers.</param>
/// <param name="Halves">Arithmetic of two 16-bit floats, and conversions to them.</param>
/// <param name="Conversions">Of integers to floats, and what else has a quarter of the rate.</param>
/// <param name="Other">Addresses above all.</param>
/// <param name="WideLoads">Of <paramref name="Memory"/>, loads of 16 bytes a lane.</param>
/// <param name="Spills">Of <paramref name="Memory"/>, loads and stores of what does not fit the registers.</param>
internal sealed partial record SassLoop(
    int Matrix, int Shared, int Memory, int Moves, int Halves, int Conversions, int Other, int WideLoads, int Spills)
{
    /// <summary>Instructions that are issued in a round.</summary>
    public int Slots => Matrix + Shared + Memory + Moves + Halves + Conversions + Other;

    /// <summary>Part of the slots that multiply, or move what is multiplied through shared memory.</summary>
    public double Share => (Matrix + Shared) / (double)Slots;

    /// <param name="lines">Of the kernel alone.</param>
    public static SassLoop? Of(string[] lines) =>
        InnermostLoops.Of(lines, Label(), Branch()).Select(Count).Where(loop => loop.Matrix > 0).MaxBy(loop => loop.Matrix);

    /// <summary>Such as <c>LDG.E.128</c>; nothing where the line has no instruction, or one that is never executed.</summary>
    public static string OperationOf(string line) =>
        Instruction().Match(line) is { Success: true } found && found.Groups[1].Value != "!PT" ? found.Groups[2].Value : "";

    private static SassLoop Count(string[] lines)
    {
        var operations = lines.Select(OperationOf).Where(one => one.Length > 0 && !Waits().IsMatch(one)).ToArray();
        int Starting(params string[] prefixes) =>
            operations.Count(one => Array.Exists(prefixes, prefix => one.StartsWith(prefix, StringComparison.Ordinal)));
        var (matrix, shared, memory) = (Starting("HMMA"), Starting("LDS", "STS", "LDGSTS"), Starting("LDG.", "STG.", "LDL", "STL"));
        var (moves, halves) = (Starting("MOV", "IMAD.MOV", "UMOV"), Starting("HFMA2", "HADD2", "HMUL2", "F2FP"));
        var conversions = Starting("I2F", "F2I", "F2F.", "MUFU");
        return new SassLoop(
            matrix, shared, memory, moves, halves, conversions,
            operations.Length - matrix - shared - memory - moves - halves - conversions, Starting("LDG.E.128"), Starting("LDL", "STL"));
    }

    [GeneratedRegex(@"^(\.L_x?_?\w+):")]
    private static partial Regex Label();

    [GeneratedRegex(@"\bBRA\b.*`\((\.L_\w+)\)")]
    private static partial Regex Branch();

    [GeneratedRegex(@"^\s*/\*[0-9a-f]{4,6}\*/\s+(?:@(!?U?P\w+)\s+)?([A-Z][A-Z0-9_.]*)")]
    private static partial Regex Instruction();

    [GeneratedRegex("^(NOP|BAR|DEPBAR|LDGDEPBAR|WARPSYNC|BSSY|BSYNC)")]
    private static partial Regex Waits();
}
