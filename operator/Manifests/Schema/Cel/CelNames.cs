using System.Text;

namespace Cluster.Operator.Manifests.Schema.Cel;

/// <summary>Property names as CEL field names: <c>my-prop</c> is <c>my__dash__prop</c>, <c>if</c> is <c>__if__</c>. Source: Kubernetes
/// documentation, "Validation rules", escaping.</summary>
internal static class CelNames
{
    private static readonly HashSet<string> Keywords =
    [
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop",
        "package", "namespace", "return", "var", "void", "while",
    ];

    /// <returns>Null for a property that no expression can name.</returns>
    public static string? Escape(string property)
    {
        if (Keywords.Contains(property))
        {
            return $"__{property}__";
        }
        if (property.Length == 0 || (!char.IsAsciiLetter(property[0]) && property[0] != '_'))
        {
            return null;
        }
        var escaped = new StringBuilder(property.Replace("__", "__underscores__", StringComparison.Ordinal));
        escaped.Replace(".", "__dot__").Replace("-", "__dash__").Replace("/", "__slash__");
        var name = escaped.ToString();
        return name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_') ? name : null;
    }
}
