namespace Cluster.Worker.Compute.Tuning;

/// <summary>Which variant a backend takes for a multiplication. All variants give the same bits, so that a choice changes time alone.
/// Kept by a <see cref="Backend"/>, which asks it at every multiplication; filled by <see cref="GemmTuner"/> or from a
/// <see cref="TuningFile"/>.</summary>
/// <remarks>Rows are tuned at powers of two up to <see cref="MostRows"/>: what is best for 100 is best for 128, and beyond the last there
/// is only more of the same.</remarks>
internal sealed class GemmTuning
{
    /// <summary>Beyond this many rows kernels repeat what they do.</summary>
    public const int MostRows = 512;

    private readonly Dictionary<GemmShape, TunedVariant> _chosen = [];
    private readonly Dictionary<(string Type, int Outputs, int Inputs), LinearWeight> _weights = [];

    /// <summary>What was chosen so far.</summary>
    public IReadOnlyDictionary<GemmShape, TunedVariant> Chosen => _chosen;

    /// <summary>A layer of each shape that the backend has loaded.</summary>
    public IReadOnlyDictionary<(string Type, int Outputs, int Inputs), LinearWeight> Weights => _weights;

    /// <summary>Called by the backend for each layer that it loads.</summary>
    public void Loaded(string type, LinearWeight weight) => _weights.TryAdd((type, weight.OutFeatures, weight.InFeatures), weight);

    public void Choose(GemmShape shape, TunedVariant variant) => _chosen[shape] = variant;

    /// <returns>The variant's name; null where nothing was chosen.</returns>
    public string? VariantFor(string type, int rows, LinearWeight weight) =>
        _chosen.Count > 0
        && _chosen.TryGetValue(new GemmShape(type, weight.OutFeatures, BucketOf(rows), weight.InFeatures), out var variant)
            ? variant.Name
            : null;

    /// <summary>The number of rows that is tuned in place of this one.</summary>
    public static int BucketOf(int rows) => rows >= MostRows ? MostRows : (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)rows);
}
