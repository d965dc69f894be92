namespace Cluster.Tests.Shared;

/// <summary>What a program that has ended left.</summary>
internal sealed record CommandResult(int ExitCode, string Output, string Error)
{
    /// <summary>Both streams, for messages of assertions.</summary>
    public string All => Output + Error;
}
