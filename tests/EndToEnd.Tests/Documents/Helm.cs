using System.Text.Json.Nodes;
using Cluster.EndToEnd.Tests.Helm;

namespace Cluster.EndToEnd.Tests.Documents;

/// <summary>helm as documents use it: every value that is set is one of the chart, and what installs is tried with <c>helm
/// template</c>.</summary>
internal static class Helm
{
    private static readonly string[] Options =
        ["-n", "--namespace", "--create-namespace", "--set", "--values", "--reuse-values", "--version"];
    private static readonly Lazy<JsonNode> Schema =
        new(() => JsonNode.Parse(File.ReadAllText(Path.Combine(Chart.Folder, "values.schema.json")))!);

    public static IEnumerable<string> Check(Invocation one)
    {
        if (one.Arguments is not [("install" or "upgrade" or "uninstall" or "template"), ..])
        {
            yield return $"helm {string.Join(' ', one.Arguments)} is not known here";
        }

        foreach (var option in one.Options.Where(option => !Options.Contains(option)))
        {
            yield return $"option {option} is not known here";
        }

        foreach (var key in SetKeys(one).Where(key => !IsValue(key)))
        {
            yield return $"--set {key}: the chart has no such value";
        }
    }

    /// <summary>The same with <c>helm template</c>; null where nothing is installed.</summary>
    public static string[]? Trial(Invocation one) =>
        one.Arguments is ["install" or "upgrade", _, _, ..]
            ? ["template", .. one.Arguments.Skip(1).Where(word => word is not ("--reuse-values" or "--create-namespace"))
                .Select(word => word.Replace("REGISTRY", "registry.example", StringComparison.Ordinal))]
            : null;

    /// <summary>Whether values.schema.json has a value of this dotted name.</summary>
    public static bool IsValue(string key)
    {
        var node = Schema.Value;
        foreach (var part in key.Split('.'))
        {
            if (Resolve(node)["properties"]?[part] is not { } next)
            {
                return false;
            }

            node = next;
        }

        return true;
    }

    private static JsonNode Resolve(JsonNode node) =>
        (string?)node["$ref"] is { } reference ? Schema.Value["$defs"]![reference["#/$defs/".Length..]]! : node;

    private static IEnumerable<string> SetKeys(Invocation one) =>
        one.Arguments.Zip(one.Arguments.Skip(1)).Where(pair => pair.First == "--set").SelectMany(pair => pair.Second.Split(','))
            .Select(setting => setting.Split('=')[0]);
}
