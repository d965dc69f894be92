using Cluster.Worker.Compute.Cpu.Gemm;

namespace Cluster.Worker.Tests.Compute.Cpu.Gemm;

/// <summary>How rows are cut into tiles.</summary>
public sealed class InputTilesTests
{
    [Theory, InlineData(4), InlineData(6), InlineData(12)]
    public unsafe void Tiles_hold_every_row_once_in_order_and_zeros_beside(int maxRows)
    {
        const int InFeatures = 7;
        for (var rows = 1; rows <= 40; rows++)
        {
            var tiles = new InputTiles(rows, InFeatures, maxRows);
            float[] inputs = [.. Enumerable.Range(1, rows * InFeatures).Select(i => (float)i)], filled = new float[tiles.Length];
            fixed (float* from = inputs, to = filled)
            {
                for (var tile = 0; tile < tiles.Count; tile++)
                {
                    tiles.Fill(tile, from, to);
                }
            }

            var seen = 0;
            for (var tile = 0; tile < tiles.Count; tile++)
            {
                Assert.Equal(seen, tiles.FirstRow(tile));
                Assert.InRange(tiles.RowsOf(tile), 1, Math.Min(maxRows, tiles.KernelRows(tile)));
                for (var i = 0; i < tiles.KernelRows(tile) * (InFeatures + 1); i++)
                {
                    var (k, row) = Math.DivRem(i, tiles.KernelRows(tile));
                    var expected = k < InFeatures && row < tiles.RowsOf(tile) ? inputs[(seen + row) * InFeatures + k] : 0;
                    Assert.Equal(expected, filled[tiles.Offset(tile) + i]);
                }

                seen += tiles.RowsOf(tile);
            }

            Assert.Equal(rows, seen);
            Assert.Equal(rows, tiles.FirstRow(tiles.Count));
        }
    }

    [Theory]
    [InlineData(6, 7, 8), InlineData(6, 8, 8), InlineData(6, 9, 10), InlineData(6, 14, 14), InlineData(6, 32, 32), InlineData(6, 64, 64)]
    [InlineData(12, 13, 14), InlineData(12, 14, 14), InlineData(12, 15, 16), InlineData(12, 26, 26), InlineData(12, 32, 32)]
    [InlineData(4, 5, 8), InlineData(4, 1, 1), InlineData(6, 2, 2)]
    public void Few_rows_are_computed_that_are_not_there(int maxRows, int rows, int computed)
    {
        var tiles = new InputTiles(rows, 8, maxRows);
        Assert.Equal(computed, Enumerable.Range(0, tiles.Count).Sum(tiles.KernelRows));
    }
}
