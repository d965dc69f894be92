namespace Cluster.Worker.Serving.Parsing;

/// <summary>Which calls an output may hold.</summary>
internal enum CallDemand
{
    /// <summary>None; calls that the model makes all the same are dropped where the format tells them from text.</summary>
    None,

    /// <summary>Those that the model wants to make, in its own format.</summary>
    Auto,

    /// <summary>The whole answer is a JSON array of calls.</summary>
    Required,

    /// <summary>The whole answer is the arguments of one function.</summary>
    Named,
}
