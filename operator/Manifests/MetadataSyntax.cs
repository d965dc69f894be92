using System.Text;
using System.Text.RegularExpressions;

namespace Cluster.Operator.Manifests;

/// <summary>What may be a name, a label, or a key of an annotation, in the API server's words. Pure. Source: apimachinery,
/// <c>util/validation</c>.</summary>
internal static partial class MetadataSyntax
{
    private const int MaxPartLength = 63;
    private const int MaxSubdomainLength = 253;

    private const string SubdomainRule =
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
        + "alphanumeric character (e.g. 'example.com', regex used for validation is "
        + "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

    /// <returns>What is wrong with a label's value; null when nothing is.</returns>
    public static string? ValueProblem(string value) =>
        Encoding.UTF8.GetByteCount(value) > MaxPartLength ? $"must be no more than {MaxPartLength} bytes"
        : value.Length == 0 || Part().IsMatch(value) ? null
        : "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
            + "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
            + "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

    /// <returns>What is wrong with the key of a label or an annotation; null when nothing is.</returns>
    public static string? KeyProblem(string key)
    {
        var parts = key.Split('/');
        if (parts.Length > 2)
        {
            return "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
                + "character with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
        }

        var name = parts[^1];
        return parts.Length == 2 ? PrefixProblem(parts[0]) ?? NameProblem(name) : NameProblem(name);
    }

    /// <returns>Everything that is wrong with the name of an object.</returns>
    public static IEnumerable<string> NameProblems(string name)
    {
        if (!Subdomain().IsMatch(name))
        {
            yield return SubdomainRule;
        }

        if (name.Length > MaxSubdomainLength)
        {
            yield return $"must be no more than {MaxSubdomainLength} characters";
        }
    }

    /// <returns>Everything that is wrong with the name of a container.</returns>
    public static IEnumerable<string> DnsLabelProblems(string name)
    {
        if (!DnsLabel().IsMatch(name))
        {
            yield return "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
                + "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
                + "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
        }

        if (name.Length > MaxPartLength)
        {
            yield return $"must be no more than {MaxPartLength} bytes";
        }
    }

    private static string? PrefixProblem(string prefix) =>
        prefix.Length == 0 ? "prefix part must be non-empty"
        : prefix.Length > MaxSubdomainLength ? $"prefix part must be no more than {MaxSubdomainLength} bytes"
        : Subdomain().IsMatch(prefix) ? null
        : $"prefix part {SubdomainRule}";

    private static string? NameProblem(string name) =>
        name.Length == 0 ? "name part must be non-empty"
        : Encoding.UTF8.GetByteCount(name) > MaxPartLength ? $"name part must be no more than {MaxPartLength} bytes"
        : Part().IsMatch(name) ? null
        : "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
            + "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

    [GeneratedRegex(@"\A[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?\z")]
    private static partial Regex Part();

    [GeneratedRegex(@"\A[a-z0-9]([-a-z0-9]*[a-z0-9])?\z")]
    private static partial Regex DnsLabel();

    [GeneratedRegex(@"\A[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\z")]
    private static partial Regex Subdomain();
}
