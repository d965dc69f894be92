namespace Cluster.Tests.Shared;

/// <summary>A machine cannot give what a test needs. The message begins as xunit wants it of what skips a test instead of failing it, since
/// this project knows nothing of xunit.</summary>
internal sealed class UnavailableException(string reason) : Exception($"$XunitDynamicSkip${reason}");
