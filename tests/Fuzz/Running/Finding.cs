namespace Cluster.Fuzz.Running;

/// <summary>A failure and the smallest input that was found to cause it.</summary>
/// <param name="Path">Where that input is saved.</param>
internal sealed record Finding(string Target, Failure Failure, string Path, int Bytes)
{
    /// <summary>What to type to see it again.</summary>
    public string Command => $"dotnet run --project tests/Fuzz -c Release -- --target {Target} --replay {Path}";
}
