namespace Cluster.Worker.Models.Sources;

/// <summary>Something that a hub, a mirror or the environment said cannot be trusted or understood. The message names the address (or
/// variable, or file) and the reason.</summary>
internal sealed class HubFormatException(string origin, string reason, Exception? inner = null)
    : FormatException($"{origin}: {reason}", inner)
{
    /// <summary>Address, variable or file that is to blame.</summary>
    public string Origin { get; } = origin;
}
