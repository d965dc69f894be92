namespace Cluster.Operator.Local.ApiServer;

/// <summary>The size of a client's window, in characters.</summary>
internal readonly record struct TerminalSize(ushort Width, ushort Height);
