namespace Cluster.Operator.Api;

/// <summary>A condition of a ModelDeployment's status. The library's V1Condition has no schema and demands a time where the API does
/// not.</summary>
internal sealed class Condition
{
    [Schema("What it is about.", Required = true)]
    public string Type { get; set; } = "";

    /// <summary>True, False or Unknown.</summary>
    [Schema("Whether it holds.", Required = true, Enum = ["True", "False", "Unknown"])]
    public string Status { get; set; } = "Unknown";

    [Schema("Why, in one word for programs.")]
    public string? Reason { get; set; }

    [Schema("Why, in a sentence for people.")]
    public string? Message { get; set; }

    [Schema("When the status last changed.")]
    public DateTimeOffset? LastTransitionTime { get; set; }

    [Schema("The metadata.generation it is about.")]
    public long? ObservedGeneration { get; set; }
}
