using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Tables;

/// <summary>The JSONPath of printer columns: <c>.a.b</c>, <c>['a.b']</c>, <c>.a\.b</c>, <c>[0]</c>, <c>[-1]</c>, <c>[*]</c>,
/// <c>[?(@.type=="Ready")]</c>.</summary>
internal sealed class JsonPathExpression
{
    private readonly List<Func<JsonNode?, IEnumerable<JsonNode?>>> _steps = [];

    private JsonPathExpression()
    {
    }

    /// <returns>false for syntax outside this subset.</returns>
    public static bool TryParse(string text, [NotNullWhen(true)] out JsonPathExpression? expression)
    {
        expression = new JsonPathExpression();
        var at = 0;
        while (at < text.Length)
        {
            if (text[at] == '.' && at + 1 < text.Length && text[at + 1] != '.')
            {
                var name = new System.Text.StringBuilder();
                for (at++; at < text.Length && text[at] is not ('.' or '['); at++)
                {
                    at += text[at] == '\\' && at + 1 < text.Length ? 1 : 0;
                    name.Append(text[at]);
                }
                var field = name.ToString();
                expression._steps.Add(node => Existing(node.At(field)));
            }
            else if (text[at] == '[' && text.IndexOf(']', at) is var close and > 0 && Bracket(text[(at + 1)..close]) is { } step)
            {
                expression._steps.Add(step);
                at = close + 1;
            }
            else
            {
                expression = null;
                return false;
            }
        }
        return true;
    }

    public List<JsonNode> Evaluate(JsonNode root)
    {
        IEnumerable<JsonNode?> nodes = [root];
        foreach (var step in _steps)
        {
            nodes = nodes.SelectMany(step);
        }
        return [.. nodes.OfType<JsonNode>()];
    }

    private static Func<JsonNode?, IEnumerable<JsonNode?>>? Bracket(string body)
    {
        if (body == "*")
        {
            return node => node switch { JsonArray list => list, JsonObject map => map.Select(member => member.Value), _ => [] };
        }
        if (int.TryParse(body, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var index))
        {
            return node => node is JsonArray list && (index < 0 ? list.Count + index : index) is var i && i >= 0 && i < list.Count
                ? Existing(list[i])
                : [];
        }
        if (Unquote(body) is { } field)
        {
            return node => Existing(node.At(field));
        }
        if (body.StartsWith("?(@.", StringComparison.Ordinal)
            && body.EndsWith(')')
            && body.IndexOf("==", StringComparison.Ordinal) is var equal and > 0)
        {
            var path = body[4..equal].Trim().Split('.');
            var wanted = body[(equal + 2)..^1].Trim();
            var value = Unquote(wanted) ?? wanted;
            return node =>
                node is JsonArray list ? list.Where(item => (item.At(path).Text() ?? JsonText.ToText(item.At(path))) == value) : [];
        }
        return null;
    }

    private static string? Unquote(string text) =>
        text.Length >= 2 && text[0] == text[^1] && text[0] is '"' or '\'' ? text[1..^1] : null;

    private static IEnumerable<JsonNode?> Existing(JsonNode? node) => node is null ? [] : [node];
}
