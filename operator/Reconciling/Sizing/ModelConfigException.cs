namespace Cluster.Operator.Reconciling.Sizing;

/// <summary>A model's configuration cannot be had or cannot be understood; the message says why, for a condition.</summary>
internal sealed class ModelConfigException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>What helps where no configuration would.</summary>
    public const string Number = "give tensorParallelSize as a number";

    /// <summary>What to do about it.</summary>
    public string Remedy { get; init; } = $"{Number}, or the checkpoint's config.json in model.config";
}
