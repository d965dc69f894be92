namespace Cluster.Fuzz;

/// <summary>How a target took an input.</summary>
/// <param name="Refusal">Why it was refused; null where it was accepted.</param>
internal readonly record struct Verdict(string? Refusal)
{
    public static Verdict Accepted { get; }

    public bool IsAccepted => Refusal is null;

    public static Verdict Refused(string why) => new(why);
}
