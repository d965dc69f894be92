namespace Cluster.Worker.Draws;

/// <summary>What happens to a logit, in the order in which it happens.</summary>
internal enum AdjustmentKind
{
    /// <summary>Becomes -∞.</summary>
    Forbid,

    /// <summary>The value is added.</summary>
    Add,

    /// <summary>Divided by the value where it is above 0, multiplied by it elsewhere.</summary>
    Penalize,

    /// <summary>The value is subtracted.</summary>
    Subtract,
}
