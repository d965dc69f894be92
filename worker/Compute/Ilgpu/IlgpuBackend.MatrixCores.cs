using Cluster.Worker.Compute.Ilgpu.Kernels;
using Cluster.Worker.Compute.Ilgpu.Launch;

namespace Cluster.Worker.Compute.Ilgpu;

/// <content>Linear layers on matrix cores. Which kernel multiplies is decided by the number of rows, but all of them add in one order, so
/// that a row has the same bits from each.</content>
internal sealed partial class IlgpuBackend
{
    private Scratchpad _split;

    private void MultiplyOnMatrixCores(Tensor x, IlgpuLinear weight, Tensor output)
    {
        foreach (var section in weight.Sections)
        {
            var terms = MatrixKernels.TileTermsOf(section.Format, _options.RoundsActivations);
            if (terms > 0 && x.Rows > MatrixCoreRows && weight.InFeatures % 4 == 0 && MultiplySplit(x, weight, section, terms, output))
            {
                continue;
            }

            var input = weight.InFeatures % 4 == 0 ? typeof(QuadInput) : typeof(AnyInput);
            var tiles = input == typeof(QuadInput) ? TilesOf(x.Rows) : 1;
            Multiply(MatrixKernels.Of(section.Format, input, _options.RoundsActivations, tiles, experts: false), tiles, x, weight, section,
                x.Rows, output);
        }
    }

    /// <summary>Rows of a tile of matrix cores.</summary>
    private const int MatrixCoreRows = Intrinsics.MatrixCore.Tile;

    /// <summary>Tiles of 16 rows for a group, so that weights are read once for up to 64 rows.</summary>
    private static int TilesOf(int rows) => rows <= MatrixCoreRows ? 1 : rows <= 2 * MatrixCoreRows ? 2 : 4;

    /// <summary>In the tiles of many rows, or in those of few where inputs are better split once than by each group.</summary>
    /// <returns>False where codes are better decoded for few rows: nothing is done then.</returns>
    private bool MultiplySplit(Tensor x, IlgpuLinear weight, LinearSection section, int terms, Tensor output)
    {
        var rounds = _options.RoundsActivations;
        var parts = section.Format.Elements / 8;
        var grid = new GridSize(GridSize.Groups(section.Outputs, TileLinear.Side), GridSize.Groups(x.Rows, TileLinear.Side));
        var isBusy = (long)grid.X * grid.Y >= _launcher.Device.ComputeUnits / 2;
        var isTile = x.Rows > 4 * MatrixCoreRows && isBusy && _launcher.Waves == Intrinsics.Wave.MaxWaves
            && TileLinear.Takes(section.Pieces, parts);
        if (!isTile && section.Format.Kind != WeightKind.Plain)
        {
            return false;
        }

        var steps = MatrixLinear.StepsOfWave(section.Pieces, _launcher.Waves) * _launcher.Waves * parts;
        var blocks = GridSize.Groups(x.Rows, SplitRows.Rows);
        Scratch(ref _split, "split rows", 16L * SplitRows.Pair * terms * ((long)blocks * steps + TileLinear.Slack));
        _launcher.Launch(
            MatrixKernels.Split(section.Format, rounds), new GridSize(steps, 2 * blocks), x, _split.Memory, x.Rows, weight.InFeatures,
            section.Format.Elements);
        if (isTile)
        {
            _launcher.Launch(
                MatrixKernels.Tile(section.Format, rounds), grid, _split.Memory, section.Codes, section.Tables, section.Groups,
                section.Bias, output, x.Rows, section.Pieces, section.Outputs, section.Padded, section.FirstOutput, weight.OutFeatures);
            return true;
        }

        var tiles = TilesOf(x.Rows);
        Multiply(MatrixKernels.OfSplit(section.Format, rounds, tiles), tiles, _split.Memory, weight, section, x.Rows, output);
        return true;
    }

    private void Multiply(
        Compile.Kernel kernel, int tiles, KernelArgument x, IlgpuLinear weight, LinearSection section, int rows, Tensor output) =>
        _launcher.Launch(
            kernel, new GridSize(GridSize.Groups(section.Outputs, Kernels.Linear.Panel), GridSize.Groups(rows, tiles * MatrixCoreRows)), x,
            section.Codes, section.Tables, section.Groups, section.Bias, output, rows, weight.InFeatures, section.Pieces, section.Outputs,
            section.Padded, section.FirstOutput, weight.OutFeatures);
}
