namespace Cluster.Worker.Startup;

/// <summary>The options do not fit the model, the device or the machine. The message is for the user: it names the option, the value and
/// what would be right.</summary>
internal sealed class StartupException(string message, Exception? inner = null) : Exception(message, inner);
