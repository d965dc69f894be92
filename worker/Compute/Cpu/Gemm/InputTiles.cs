namespace Cluster.Worker.Compute.Cpu.Gemm;

/// <summary>How the rows of a matrix are cut into tiles for <see cref="GemmJob{V, TSimd, TFormat}"/>: full tiles of <c>maxRows</c>,
/// then one tile whose kernel is the smallest that takes the rest.</summary>
/// <remarks>
/// Tiles lie one after another, rows interleaved so that a kernel reads its inputs forwards:
/// <code>
/// tile of rows 0..5   │k0: r0│r1│r2│r3│r4│r5│k1: r0│r1│ … k rounded up to even
/// tile of rows 6, 7   │k0: r6│r7│k1: r6│r7│ …
/// </code>
/// </remarks>
internal readonly struct InputTiles(int rows, int inFeatures, int maxRows)
{
    private readonly int _paddedK = (inFeatures + 1) & ~1;

    public int Rows { get; } = rows;

    public int Count => (Rows + maxRows - 1) / maxRows;

    /// <summary>Floats of all tiles.</summary>
    public long Length => Count == 0 ? 0 : Offset(Count - 1) + (long)KernelRows(Count - 1) * _paddedK;

    public long Offset(int tile) => (long)tile * maxRows * _paddedK;

    /// <summary>Rows of the tile that exist.</summary>
    public int RowsOf(int tile) => Math.Min(maxRows, Rows - tile * maxRows);

    /// <summary>Rows the tile's kernel computes: the tile is padded with zero rows up to that.</summary>
    public int KernelRows(int tile) => RowsOf(tile) switch
    {
        1 => 1,
        2 => 2,
        <= 4 => 4,
        <= 6 => 6,
        _ => 12,
    };

    /// <summary>Copies a tile's rows out of row-major inputs.</summary>
    public unsafe void Fill(int tile, float* inputs, float* destination)
    {
        var kernelRows = KernelRows(tile);
        var rows = RowsOf(tile);
        var target = destination + Offset(tile);
        for (var row = 0; row < kernelRows; row++)
        {
            var source = inputs + (long)(tile * maxRows + row) * inFeatures;
            var used = row < rows ? inFeatures : 0;
            for (var k = 0; k < used; k++)
            {
                target[(long)k * kernelRows + row] = source[k];
            }

            for (var k = used; k < _paddedK; k++)
            {
                target[(long)k * kernelRows + row] = 0;
            }
        }
    }
}
