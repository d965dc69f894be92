namespace Cluster.Common;

/// <summary>Ends a command with a message for the user instead of a stack trace: exit code 1.</summary>
internal sealed class CommandFailure(string message, Exception? inner = null) : Exception(message, inner);
