using System.Text.RegularExpressions;

namespace Cluster.Operator.Reconciling;

/// <summary>Takes out of an error's text what is another one each time it happens. A condition with such a part in it would be written
/// anew, and an event be another one, with every try.</summary>
internal static partial class StableText
{
    /// <param name="names">Names we made up, such as those of pods that were not created: their random end becomes <c>*</c>.</param>
    public static string Of(string message, IEnumerable<string> names)
    {
        foreach (var name in names)
        {
            message = message.Replace(name, $"{name[..(name.LastIndexOf('-') + 1)]}*", StringComparison.Ordinal);
        }

        return Uid().Replace(Connection().Replace(message, "$1"), "*");
    }

    /// <summary>Our end of a connection: <c>read tcp 10.0.0.7:51234-&gt;10.96.0.1:443</c>.</summary>
    [GeneratedRegex(@"\b(tcp |udp )\S+:\d+->", RegexOptions.CultureInvariant)]
    private static partial Regex Connection();

    [GeneratedRegex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", RegexOptions.CultureInvariant)]
    private static partial Regex Uid();
}
