namespace Cluster.Worker.Models.Config;

/// <summary>Queries that grow by position, so that attention stays sharp in long contexts: 1 + slope · ln(1 + ⌊(position + shift) /
/// interval⌋). Llama 4 and Ministral 3.</summary>
internal sealed record QueryScale(double Slope, int Interval)
{
    /// <summary>Added to the position.</summary>
    public int Shift { get; init; }

    /// <summary>Only layers without rotation do.</summary>
    public bool UnrotatedOnly { get; init; }

    /// <summary>Multiplies the query at a position.</summary>
    public float At(int position) => (float)(1 + (Slope * Math.Log(1 + Math.Floor((double)(position + Shift) / Interval))));
}
