namespace Cluster.Worker.Models.Config;

/// <summary>How a checkpoint stores the query, key and value projections of a layer.</summary>
internal enum QkvLayout
{
    /// <summary>As three matrices.</summary>
    Separate,

    /// <summary>As one: all query heads, all key heads, all value heads.</summary>
    Stacked,

    /// <summary>As one: the query heads of a key/value head, its key, its value, and so on.</summary>
    ByGroup,
}
