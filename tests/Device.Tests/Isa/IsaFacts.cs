using System.Globalization;
using System.Text.RegularExpressions;

namespace Cluster.Device.Tests.Isa;

/// <summary>What can be counted in a kernel's assembly for AMD GPUs.</summary>
/// <param name="Scratch">Bytes of memory a lane spills to.</param>
/// <param name="Vgprs">Vector registers of a lane, accumulators included.</param>
/// <param name="SharedBytes">Shared memory of a group.</param>
/// <param name="Occupancy">Waves that a SIMD holds at once.</param>
/// <param name="WideLoads">16-byte loads, of lanes or of the wave.</param>
/// <param name="NarrowLoads">All other loads of lanes.</param>
/// <param name="MatrixInstructions">v_mfma.</param>
/// <param name="Barriers">s_barrier.</param>
/// <param name="UnfencedBarriers">Of them, those before which the wave does not wait for its own accesses to shared memory.</param>
/// <param name="Inner">The loop with the most matrix instructions; null where none has any.</param>
internal sealed partial record IsaFacts(
    int Scratch, int Vgprs, int SharedBytes, int Occupancy, int WideLoads, int NarrowLoads, int MatrixInstructions, int Barriers,
    int UnfencedBarriers, InnerLoop? Inner)
{
    /// <param name="assembly">As clang writes it, with its comments.</param>
    public static IsaFacts Of(string assembly)
    {
        // The kernel itself comes first; what follows is said about it.
        var end = assembly.IndexOf(".Lfunc_end", StringComparison.Ordinal);
        var lines = assembly[..end].Split('\n').Select(line => line.Trim()).Where(line => Instruction().IsMatch(line)).ToArray();

        // What is said of the kernel comes first, too: later compilers write a function beside it that nobody calls.
        int Said(string what) => int.Parse(Regex.Match(assembly, $"{what}: (\\d+)").Groups[1].Value, CultureInfo.InvariantCulture);
        int Count(string prefix) => lines.Count(line => line.StartsWith(prefix, StringComparison.Ordinal));
        var wide = lines.Count(line => WideLoad().IsMatch(line));
        return new IsaFacts(
            Said("ScratchSize"), Said("TotalNumVgprs"), Said("LDSByteSize"), Said("Occupancy"), wide,
            lines.Count(line => Load().IsMatch(line) && !WideLoad().IsMatch(line)), Count("v_mfma"), Count("s_barrier"),
            Enumerable.Range(0, lines.Length)
                .Count(i => lines[i].StartsWith("s_barrier", StringComparison.Ordinal) && !IsFenced(lines, i)),
            InnerLoop.Of(assembly[..end]));
    }

    /// <summary>Whether shared memory was not touched since the last wait for it.</summary>
    private static bool IsFenced(string[] lines, int barrier)
    {
        for (var i = barrier - 1; i >= 0; i--)
        {
            if (lines[i].StartsWith("s_waitcnt", StringComparison.Ordinal) && lines[i].Contains("lgkmcnt(0)", StringComparison.Ordinal))
            {
                return true;
            }

            if (lines[i].StartsWith("ds_", StringComparison.Ordinal))
            {
                return false;
            }
        }

        return true;
    }

    [GeneratedRegex("^[a-z]+_[a-z0-9_]+")]
    private static partial Regex Instruction();

    [GeneratedRegex("^(global|flat|buffer)_load_")]
    private static partial Regex Load();

    [GeneratedRegex("^(global|flat|buffer|s)_load_dwordx(4|8|16)")]
    private static partial Regex WideLoad();
}
