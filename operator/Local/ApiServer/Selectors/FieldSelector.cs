using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Selectors;

/// <summary>A parsed <c>fieldSelector</c>: <c>path=value</c>, <c>==</c>, <c>!=</c>, joined by commas; <c>\</c> escapes. Only fields the
/// kind lists may be used.</summary>
internal sealed class FieldSelector
{
    private readonly List<(string[] Path, string Value, bool Equal)> _terms = [];

    private FieldSelector()
    {
    }

    /// <exception cref="ApiException">400 for a malformed selector or a field that cannot be selected on.</exception>
    public static FieldSelector Parse(string? text, IReadOnlyCollection<string> selectable)
    {
        var selector = new FieldSelector();
        foreach (var term in Split(text ?? ""))
        {
            var notEqual = term.IndexOf("!=", StringComparison.Ordinal);
            var at = notEqual >= 0 ? notEqual : term.IndexOf('=');
            if (at <= 0)
            {
                throw ApiErrors.BadRequest($"invalid field selector: \"{term}\"; expected field=value or field!=value");
            }
            var field = term[..at].Trim();
            if (field is not ("metadata.name" or "metadata.namespace") && !selectable.Contains(field))
            {
                throw ApiErrors.BadRequest($"field label not supported: {field}");
            }
            var value = term[(at + (notEqual >= 0 ? 2 : 1))..].TrimStart('=');
            selector._terms.Add((field.Split('.'), Unescape(value), notEqual < 0));
        }
        return selector;
    }

    public bool Matches(JsonObject value)
    {
        foreach (var (path, wanted, equal) in _terms)
        {
            var node = value.At(path);
            var actual = node.Text() ?? (node is null ? "" : JsonText.ToText(node));
            if (actual == wanted != equal)
            {
                return false;
            }
        }
        return true;
    }

    private static IEnumerable<string> Split(string text)
    {
        var start = 0;
        for (var i = 0; i <= text.Length; i++)
        {
            if (i < text.Length && text[i] == '\\')
            {
                i++;
            }
            else if (i == text.Length || text[i] == ',')
            {
                if (i > start)
                {
                    yield return text[start..i];
                }
                start = i + 1;
            }
        }
    }

    private static string Unescape(string value) => value.Contains('\\', StringComparison.Ordinal)
        ? value.Replace("\\,", ",", StringComparison.Ordinal).Replace("\\=", "=", StringComparison.Ordinal)
            .Replace("\\\\", "\\", StringComparison.Ordinal)
        : value;
}
