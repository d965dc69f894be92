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

        message = Version().Replace(Sandbox().Replace(Uid().Replace(message, "*"), "*"), "$1*");
        return Elapsed().Replace(Time().Replace(Peer().Replace(Connection().Replace(message, "$1"), "$1*"), "*"), "*$1");
    }

    /// <summary>Our end of a connection: <c>read tcp 10.0.0.7:51234-&gt;10.96.0.1:443</c>.</summary>
    [GeneratedRegex(@"\b(tcp |udp )\S+:\d+->", RegexOptions.CultureInvariant)]
    private static partial Regex Connection();

    /// <summary>The other end, one of several pods behind a service: <c>dial tcp 10.244.1.5:8443</c>. The port stays.</summary>
    [GeneratedRegex(@"\b(tcp |udp )(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\])(?=:\d)", RegexOptions.CultureInvariant)]
    private static partial Regex Peer();

    [GeneratedRegex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex Uid();

    /// <summary>Ids of sandboxes and containers, but not digests of images.</summary>
    [GeneratedRegex(@"(?<!sha256:)\b[0-9a-f]{32,64}\b", RegexOptions.CultureInvariant)]
    private static partial Regex Sandbox();

    [GeneratedRegex(@"(resource ?version\W{1,4})\d+", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex Version();

    /// <summary>As RFC 3339 and as Go print it: <c>2026-01-02 03:04:05.678 +0000 UTC m=+7.8</c>.</summary>
    [GeneratedRegex(
        @"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?(Z|[+-]\d\d:?\d\d))?( [A-Z]{3,4})?( m=[+-][\d.]+)?", RegexOptions.CultureInvariant)]
    private static partial Regex Time();

    /// <summary>What was measured: <c>after 10.001234s</c>. A limit is a round number.</summary>
    [GeneratedRegex(@"\b(?:\d+h)?(?:\d+m)?\d+\.\d{3,}(s|ms|µs)\b", RegexOptions.CultureInvariant)]
    private static partial Regex Elapsed();
}
