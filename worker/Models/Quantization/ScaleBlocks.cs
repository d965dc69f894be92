using Cluster.Worker.Models.Checkpoints;

namespace Cluster.Worker.Models.Quantization;

/// <summary>Size of the blocks of a weight that have a scale each.</summary>
internal sealed record ScaleBlocks(int Outputs, int Inputs)
{
    private const int MaxSize = 1 << 20;

    /// <summary>Reads a list of two numbers.</summary>
    /// <exception cref="ModelConfigException">The field is missing or something else.</exception>
    public static ScaleBlocks Read(ConfigObject config, string field) => config.Integers(field, 1, MaxSize) is [var outputs, var inputs]
        ? new ScaleBlocks(outputs, inputs)
        : throw config.Invalid(field, "must be a list of two numbers: the outputs and the inputs of a block");

    public override string ToString() => $"{Outputs}×{Inputs}";
}
