using System.Text.Json.Serialization;

namespace Cluster.Operator.Api;

[JsonConverter(typeof(JsonStringEnumConverter<PreloadState>))]
internal enum PreloadState
{
    /// <summary>Its pod has not begun.</summary>
    Waiting,

    /// <summary>Its pod downloads.</summary>
    Loading,

    /// <summary>It has all of the model.</summary>
    Done,

    /// <summary>Its pod failed, and is tried again.</summary>
    Failed,
}

/// <summary>How far a node's cache is with <c>spec.model.preload</c>.</summary>
internal sealed class PreloadStatus
{
    [Schema("The node, or `all` for a cache that all nodes share.", Required = true)]
    public string Node { get; set; } = "";

    [Schema("Waiting, Loading, Done or Failed.")]
    public PreloadState State { get; set; }

    [Schema("What is wrong.")]
    public string? Message { get; set; }
}
