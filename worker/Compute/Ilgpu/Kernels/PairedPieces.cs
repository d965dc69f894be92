using System.Runtime.InteropServices;

namespace Cluster.Worker.Compute.Ilgpu.Kernels;

/// <summary>How 16-bit weights lie for matrix instructions of warps. An instruction takes words of two outputs in turn, as four registers
/// one after the other; so do the pieces, and what is loaded is multiplied where it is, with no register moved.</summary>
/// <remarks>
/// <code>
/// output n       X Y Z W        piece n:      X of n   X of n + 8   Y of n   Y of n + 8      the first instruction of WarpLinear
/// output n + 8   X Y Z W   →    piece n + 8:  Z of n   Z of n + 8   W of n   W of n + 8      the second
/// </code>
/// </remarks>
internal static class PairedPieces
{
    private const int Words = 4;

    /// <summary>Rearranges a panel of pieces as <see cref="Linear"/> has them.</summary>
    public static void Arrange(Span<byte> panel)
    {
        var words = MemoryMarshal.Cast<byte, uint>(panel);
        Span<uint> own = stackalloc uint[2 * Words];
        for (var first = 0; first < words.Length; first += Words * Linear.Panel)
        {
            for (var output = 0; output < OutputSquare.Apart; output++)
            {
                var upper = words.Slice(first + Words * output, Words);
                var lower = words.Slice(first + Words * (output + OutputSquare.Apart), Words);
                for (var i = 0; i < Words; i++)
                {
                    own[2 * i] = upper[i];
                    own[2 * i + 1] = lower[i];
                }

                own[..Words].CopyTo(upper);
                own[Words..].CopyTo(lower);
            }
        }
    }
}
