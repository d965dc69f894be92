using System.Text.RegularExpressions;

namespace Cluster.Operator.Controller;

/// <summary>Whether two messages say the same. Servers that gather several objections into one message often do it in another order each
/// time: Kubernetes' LimitRanges and most policy webhooks walk maps.</summary>
internal static partial class SameWords
{
    /// <returns>Equal for messages that differ only in the order of their words.</returns>
    public static string KeyOf(string message) =>
        string.Join(' ', Between().Split(message).Where(word => word.Length > 0).Order(StringComparer.Ordinal));

    [GeneratedRegex(@"[\s,;\[\]]+", RegexOptions.CultureInvariant)]
    private static partial Regex Between();
}
