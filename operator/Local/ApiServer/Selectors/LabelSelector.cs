using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;

namespace Cluster.Operator.Local.ApiServer.Selectors;

/// <summary>A parsed <c>labelSelector</c>: equality and set-based requirements, all of which must hold.</summary>
internal sealed class LabelSelector
{
    private readonly List<Func<JsonObject?, bool>> _requirements = [];

    private LabelSelector()
    {
    }

    /// <exception cref="ApiException">400 when the text is not a selector.</exception>
    public static LabelSelector Parse(string? text)
    {
        var selector = new LabelSelector();
        foreach (var part in SplitTopLevel(text ?? ""))
        {
            selector._requirements.Add(Requirement(part));
        }
        return selector;
    }

    /// <summary>A <c>metav1.LabelSelector</c> object: matchLabels and matchExpressions.</summary>
    public static string Text(JsonNode? selector)
    {
        var parts = new List<string>();
        foreach (var (key, value) in selector.At("matchLabels") as JsonObject ?? [])
        {
            parts.Add($"{key}={value.Text()}");
        }
        foreach (var expression in selector.Items("matchExpressions"))
        {
            var key = expression.Text("key");
            var values = string.Join(",", expression.Texts("values"));
            parts.Add(expression.Text("operator") switch
            {
                "In" => $"{key} in ({values})",
                "NotIn" => $"{key} notin ({values})",
                "DoesNotExist" => $"!{key}",
                _ => $"{key}",
            });
        }
        return string.Join(",", parts);
    }

    public bool Matches(JsonObject value)
    {
        var labels = value.At("metadata", "labels") as JsonObject;
        return _requirements.All(requirement => requirement(labels));
    }

    private static Func<JsonObject?, bool> Requirement(string part)
    {
        if (part.StartsWith('!'))
        {
            var absent = Key(part[1..], part);
            return labels => labels.Text(absent) is null;
        }
        foreach (var (token, negated) in new[] { (" notin ", true), (" in ", false), (" notin(", true), (" in(", false) })
        {
            var at = part.IndexOf(token, StringComparison.Ordinal);
            if (at > 0 && part.EndsWith(')') && part.IndexOf('(') is var open and > 0)
            {
                var key = Key(part[..at], part);
                var values = part[(open + 1)..^1].Split(',').Select(v => v.Trim()).ToHashSet(StringComparer.Ordinal);
                return labels => negated
                    ? labels.Text(key) is not { } value || !values.Contains(value)
                    : labels.Text(key) is { } v && values.Contains(v);
            }
        }
        if (part.IndexOf("!=", StringComparison.Ordinal) is var unequal and > 0)
        {
            var key = Key(part[..unequal], part);
            var value = part[(unequal + 2)..].Trim();
            return labels => labels.Text(key) != value;
        }
        if (part.IndexOf('=') is var equal and > 0)
        {
            var key = Key(part[..equal], part);
            var value = part[(equal + 1)..].TrimStart('=').Trim();
            return labels => labels.Text(key) == value;
        }
        if (part.IndexOfAny(['<', '>']) is var order and > 0 && long.TryParse(part[(order + 1)..].Trim(), out var bound))
        {
            var key = Key(part[..order], part);
            var greater = part[order] == '>';
            return labels => long.TryParse(labels.Text(key), out var value) && (greater ? value > bound : value < bound);
        }
        var present = Key(part, part);
        return labels => labels.Text(present) is not null;
    }

    private static string Key(string text, string part)
    {
        var key = text.Trim();
        return key.Length > 0 && key.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '/')
            ? key
            : throw ApiErrors.BadRequest(
                $"unable to parse requirement: <nil>: Invalid value: \"{part}\": not a label selector requirement (key=value, "
                + $"key!=value, key in (a,b), key notin (a,b), key, !key)");
    }

    private static IEnumerable<string> SplitTopLevel(string text)
    {
        var depth = 0;
        var start = 0;
        for (var i = 0; i <= text.Length; i++)
        {
            if (i < text.Length && text[i] is '(' or ')' && i < text.Length)
            {
                depth += text[i] == '(' ? 1 : -1;
            }
            if (i == text.Length || (text[i] == ',' && depth == 0))
            {
                var part = text[start..i].Trim();
                if (part.Length > 0)
                {
                    yield return part;
                }
                start = i + 1;
            }
        }
    }
}
