using System.Globalization;
using System.Text.RegularExpressions;

namespace Cluster.Device.Tests.Ptx;

/// <summary>What can be counted in a kernel's instructions for NVIDIA GPUs.</summary>
/// <param name="Registers">Of a lane.</param>
/// <param name="Spilled">Bytes of memory that a lane has because registers are not enough, or for arrays.</param>
/// <param name="SharedBytes">Shared memory of a group.</param>
/// <param name="WideLoads">16-byte loads of device memory.</param>
/// <param name="MatrixInstructions">HMMA.</param>
/// <param name="Loop">The innermost loop with the most matrix instructions; null where none has any.</param>
internal sealed partial record SassFacts(
    int Registers, int Spilled, int SharedBytes, int WideLoads, int MatrixInstructions, SassLoop? Loop)
{
    private const int RegistersOfMultiprocessor = 65536;
    private const int WarpsOfMultiprocessor = 64;
    private const int SharedBytesOfMultiprocessor = 164 << 10;

    /// <summary>Groups of eight warps that a multiprocessor of sm_80 holds at once (CUDA C++ Programming Guide, compute capabilities);
    /// registers are given to warps in units of 256.</summary>
    public int Groups => Math.Min(
        Math.Min(RegistersOfMultiprocessor / (8 * 32 * ((Registers + 7) / 8 * 8)), WarpsOfMultiprocessor / 8),
        SharedBytes == 0 ? int.MaxValue : SharedBytesOfMultiprocessor / (SharedBytes + 1024));

    /// <param name="said">By <c>ptxas -v</c>.</param>
    /// <param name="listing">By <c>nvdisasm -c</c>.</param>
    public static SassFacts Of(string said, string listing)
    {
        int Number(Regex what) => what.Match(said) is { Success: true } found
            ? int.Parse(found.Groups[1].Value, CultureInfo.InvariantCulture) : 0;
        var lines = listing.Split('\n');
        return new SassFacts(
            Number(UsedRegisters()), Number(StackFrame()) + Number(SpillStores()), Number(UsedShared()),
            lines.Count(line => SassLoop.OperationOf(line).StartsWith("LDG.E.128", StringComparison.Ordinal)),
            lines.Count(line => SassLoop.OperationOf(line).StartsWith("HMMA", StringComparison.Ordinal)), SassLoop.Of(lines));
    }

    [GeneratedRegex(@"Used (\d+) registers")]
    private static partial Regex UsedRegisters();

    [GeneratedRegex(@"(\d+) bytes stack frame")]
    private static partial Regex StackFrame();

    [GeneratedRegex(@"(\d+) bytes spill stores")]
    private static partial Regex SpillStores();

    [GeneratedRegex(@"(\d+) bytes smem")]
    private static partial Regex UsedShared();
}
