using System.Globalization;
using System.Numerics;
using Cluster.Worker.Compute.Ilgpu.Launch;
using Cluster.Worker.Compute.Tuning;

namespace Cluster.Worker.Compute.Ilgpu;

/// <content>Variants of a multiplication: how many of a group's waves share outputs and have different rows. Each output is summed by one
/// thread in any case, so its bits do not depend on it.</content>
internal sealed partial class IlgpuBackend
{
    private const string RowWaves = "RowWaves_";

    public override IReadOnlyList<string> VariantsOf(LinearWeight weight, int rows)
    {
        // On matrix cores the waves of a group share a sum: another number of them would be another order.
        if (_launcher.MatrixCores == MatrixCores.Mfma || _launcher.Waves == 1
            || ((IlgpuLinear)weight).Sections.All(section => section.IsOnWarps))
        {
            return [TunedVariant.Default];
        }

        List<string> variants = [TunedVariant.Default];
        for (var waves = 1; waves <= _launcher.Waves; waves *= 2)
        {
            if (waves != UsualRowWaves(rows))
            {
                variants.Add(string.Create(CultureInfo.InvariantCulture, $"{RowWaves}{waves}"));
            }
        }

        return variants;
    }

    private LinearWeight Tunable(IlgpuLinear weight)
    {
        Tuning.Loaded(weight.TypeName, weight);
        return weight;
    }

    /// <summary>Waves of a group that have rows of their own; the others have other outputs of the same rows.</summary>
    private int RowWavesFor(LinearWeight weight, int rows)
    {
        var chosen = Tuning.VariantFor(((IlgpuLinear)weight).TypeName, rows, weight);
        return chosen is not null && chosen.StartsWith(RowWaves, StringComparison.Ordinal)
            && int.TryParse(chosen.AsSpan(RowWaves.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var waves)
            && BitOperations.IsPow2(waves) && waves <= _launcher.Waves
                ? waves
                : UsualRowWaves(rows);
    }

    /// <summary>Few rows: waves of a group share them and have different outputs; many rows: the other way round.</summary>
    private int UsualRowWaves(int rows)
    {
        var tiles = GridSize.Groups(rows, Kernels.Linear.Rows);
        return Math.Min((int)BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(tiles, 1, _launcher.Waves)), _launcher.Waves);
    }
}
