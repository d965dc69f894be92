using Cluster.Worker.Models.Sources;

namespace Cluster.Worker.Tests.Models.Sources;

/// <summary>Shapes that tests can afford to read every weight of. Names differ, as files are shown under them.</summary>
internal static class TinyShapes
{
    public static readonly SyntheticShape Tied = new("tiny-tied", 128, 256, 2, 4, 2, 512, 128);

    public static readonly SyntheticShape Stretched = new("tiny-stretched", 128, 256, 2, 2, 1, 400, 16384)
    {
        IsTied = false,
        RopeFactor = 8,
    };

    public static readonly SyntheticShape Experts = new("tiny-experts", 64, 192, 2, 4, 4, 300, 128) { Experts = 8 };

    public static SyntheticShape Named(string name) => name switch
    {
        "tied" => Tied,
        "stretched" => Stretched,
        _ => Experts,
    };
}
