using Cluster.Worker.Compute.Ilgpu.Intrinsics;
using Cluster.Worker.Compute.Ilgpu.Kernels;
using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Compute.Ilgpu;

/// <content>Linear layers by matrix instructions of warps. Whether they take a weight its format decides, for any number of rows; which
/// kernel multiplies the rows' number decides, but all of them add in one order, so that a row has the same bits from each.</content>
internal sealed partial class IlgpuBackend
{
    private void MultiplyOnWarps(Tensor x, LinearWeight weight, LinearSection section, Tensor output)
    {
        var rounds = _options.RoundsActivations;
        if (weight.InFeatures % 4 != 0)
        {
            MultiplyFew(WarpKernels.Of(section.Format, typeof(AnyInput), rounds, 1), 1, x, x, weight, section, output);
            return;
        }

        var parts = section.Format.Elements / 8;
        var terms = MatrixKernels.TileTermsOf(section.Format, rounds);
        var grid = new GridSize(
            GridSize.Groups(section.Outputs, WarpTileLinear.Outputs), GridSize.Groups(x.Rows, WarpTileLinear.RowsOf(terms)));
        var isTile = x.Rows > MostFewRows && (long)grid.X * grid.Y >= _launcher.Device.ComputeUnits / 2;
        var tiles = WarpTilesOf(x.Rows);
        if (x.Rows <= MatrixCoreRows)
        {
            MultiplyFew(WarpKernels.Of(section.Format, typeof(QuadInput), rounds, tiles), tiles, x, x, weight, section, output);
            return;
        }

        var steps = WarpLinear.StepsOfWarp(section.Pieces) * WarpMatrix.MaxWarps * parts;
        var blocks = GridSize.Groups(x.Rows, SplitRows.Rows);
        Scratch(ref _split, "split rows", 16L * SplitRows.Pair * terms * blocks * steps);
        _launcher.Launch(
            MatrixKernels.Split(section.Format, rounds), new GridSize(steps, 2 * blocks), x, _split.Memory, x.Rows, weight.InFeatures,
            section.Format.Elements);
        if (isTile)
        {
            _launcher.Launch(
                WarpKernels.Tile(section.Format, rounds), grid, _split.Memory, section.Codes, section.Tables, section.Groups, section.Bias,
                output, x.Rows, section.Pieces, section.Outputs, section.Padded, section.FirstOutput, weight.OutFeatures);
            return;
        }

        MultiplyFew(WarpKernels.OfSplit(section.Format, rounds, tiles), tiles, _split.Memory, x, weight, section, output);
    }

    /// <summary>Rows that a group of <see cref="WarpLinear"/> can have.</summary>
    private const int MostFewRows = 8 * WarpMatrix.Rows;

    /// <summary>Tiles of 8 rows for a group, so that weights are read once for up to 64 rows.</summary>
    private static int WarpTilesOf(int rows) =>
        rows <= WarpMatrix.Rows ? 1 : rows <= 2 * WarpMatrix.Rows ? 2 : rows <= 4 * WarpMatrix.Rows ? 4 : 8;

    /// <summary>The same for experts, of which some have twice the rows that they have about.</summary>
    private static int WarpTilesOfExperts(int inFeatures, int rows) =>
        rows <= WarpMatrix.Rows / 2 || inFeatures % 4 != 0 ? 1 : rows <= 2 * WarpMatrix.Rows ? 4 : 8;

    /// <param name="inputs">The rows, or what they were split to.</param>
    private void MultiplyFew(
        Compile.Kernel kernel, int tiles, KernelArgument inputs, Tensor x, LinearWeight weight, LinearSection section, Tensor output) =>
        _launcher.Launch(
            kernel, new GridSize(GridSize.Groups(section.Outputs, Kernels.Linear.Panel), GridSize.Groups(x.Rows, tiles * WarpMatrix.Rows)),
            inputs, section.Codes, section.Tables, section.Groups, section.Bias, output, x.Rows, weight.InFeatures, section.Pieces,
            section.Outputs, section.Padded, section.FirstOutput, weight.OutFeatures);
}
