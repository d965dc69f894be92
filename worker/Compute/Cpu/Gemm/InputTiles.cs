using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Cluster.Worker.Compute.Cpu.Gemm;

/// <summary>How the rows of a matrix are cut into tiles for <see cref="GemmJob{V, TSimd, TFormat}"/>: full tiles of <c>maxRows</c>,
/// then one tile whose kernel is the smallest that takes the rest. One or two rows would pad that tile most: they share with the last full
/// one, so that 8 rows are 4 and 4 where a kernel takes up to 6, not 6 and 4 of which 2 are zeros.</summary>
/// <remarks>
/// Tiles lie one after another, rows interleaved so that a kernel reads its inputs forwards:
/// <code>
/// tile of rows 0..5    │k0: r0│r1│r2│r3│r4│r5│k1: r0│r1│ … k rounded up to even
/// tile of rows 6 to 8  │k0: r6│r7│r8│0│k1: r6│r7│r8│0│ …
/// </code>
/// </remarks>
internal readonly struct InputTiles(int rows, int inFeatures, int maxRows)
{
    private readonly int _paddedK = (inFeatures + 1) & ~1;

    /// <summary>Rows of the tile before the last.</summary>
    private readonly int _beforeLast = rows > maxRows && rows % maxRows is 1 or 2 ? KernelFor((maxRows + 2) / 2) : maxRows;

    public int Rows { get; } = rows;

    public int Count => (Rows + maxRows - 1) / maxRows;

    /// <summary>Floats of all tiles.</summary>
    public long Length => Count == 0 ? 0 : Offset(Count - 1) + (long)KernelRows(Count - 1) * _paddedK;

    public long Offset(int tile) => (long)FirstRow(tile) * _paddedK;

    /// <summary>Where a tile begins.</summary>
    /// <param name="tile">Up to <see cref="Count"/>, where all rows end.</param>
    public int FirstRow(int tile) =>
        tile == Count ? Rows
        : tile > 0 && tile == Count - 1 ? (tile - 1) * maxRows + _beforeLast
        : tile * maxRows;

    /// <summary>Rows of the tile that exist.</summary>
    public int RowsOf(int tile) => FirstRow(tile + 1) - FirstRow(tile);

    /// <summary>Rows the tile's kernel computes: the tile is padded with zero rows up to that. Kernels for one and two rows stream two
    /// panels side by side, which is of use only where nothing else shares the panels.</summary>
    public int KernelRows(int tile) => RowsOf(tile) switch
    {
        1 when Count == 1 => 1,
        2 when Count == 1 => 2,
        var some => KernelFor(some),
    };

    /// <summary>Copies a tile's rows out of row-major inputs.</summary>
    public unsafe void Fill(int tile, float* inputs, float* destination)
    {
        var kernelRows = KernelRows(tile);
        var rows = RowsOf(tile);
        var target = destination + Offset(tile);
        var source = inputs + (long)FirstRow(tile) * inFeatures;
        if (kernelRows == 1)
        {
            Buffer.MemoryCopy(source, target, inFeatures * sizeof(float), inFeatures * sizeof(float));
            target[_paddedK - 1] = _paddedK == inFeatures ? target[_paddedK - 1] : 0;
            return;
        }

        var row = 0;
        if (Sse.IsSupported)
        {
            for (; row <= rows - Vector128<float>.Count; row += Vector128<float>.Count)
            {
                Interleave(source + (long)row * inFeatures, target + row, kernelRows);
            }
        }

        for (; row < kernelRows; row++)
        {
            var used = row < rows ? inFeatures : 0;
            for (var k = 0; k < used; k++)
            {
                target[(long)k * kernelRows + row] = source[(long)row * inFeatures + k];
            }

            for (var k = used; k < _paddedK; k++)
            {
                target[(long)k * kernelRows + row] = 0;
            }
        }
    }

    private static int KernelFor(int rows) => rows switch
    {
        <= 4 => 4,
        <= 6 => 6,
        <= 8 => 8,
        _ => 12,
    };

    /// <summary>Four rows, four k at a time.</summary>
    private unsafe void Interleave(float* source, float* target, int kernelRows)
    {
        float* row1 = source + inFeatures, row2 = row1 + inFeatures, row3 = row2 + inFeatures;
        var k = 0;
        for (; k <= inFeatures - Vector128<float>.Count; k += Vector128<float>.Count)
        {
            var (a, b) = (Vector128.Load(source + k), Vector128.Load(row1 + k));
            var (c, d) = (Vector128.Load(row2 + k), Vector128.Load(row3 + k));
            var (ab, cd) = (Sse.UnpackLow(a, b), Sse.UnpackLow(c, d));
            Sse.MoveLowToHigh(ab, cd).Store(target);
            Sse.MoveHighToLow(cd, ab).Store(target + kernelRows);
            (ab, cd) = (Sse.UnpackHigh(a, b), Sse.UnpackHigh(c, d));
            Sse.MoveLowToHigh(ab, cd).Store(target + 2 * kernelRows);
            Sse.MoveHighToLow(cd, ab).Store(target + 3 * kernelRows);
            target += 4 * kernelRows;
        }

        for (; k < inFeatures; k++)
        {
            Vector128.Create(source[k], row1[k], row2[k], row3[k]).Store(target);
            target += kernelRows;
        }

        if (_paddedK > inFeatures)
        {
            Vector128<float>.Zero.Store(target);
        }
    }
}
