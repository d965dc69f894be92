using System.Globalization;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Cluster.Operator.Local.ApiServer;

/// <summary>The first YAML document of a request body as a JSON tree (YAML 1.2 core schema, which is what <c>sigs.k8s.io/yaml</c> accepts in practice). The only file of the server that knows the YAML library.</summary>
internal static class YamlText
{
    // Aliases can blow a small document up; no honest manifest has this many nodes.
    private const int MaxNodes = 200_000;

    /// <exception cref="ApiException">400 when the text is not YAML, nests too deeply or expands to too many nodes.</exception>
    public static JsonNode? Parse(string text)
    {
        var stream = new YamlStream();
        try
        {
            stream.Load(new StringReader(text));
        }
        catch (YamlException error)
        {
            throw ApiErrors.BadRequest($"the request body is not valid YAML: line {error.Start.Line}: {error.Message}");
        }
        var budget = MaxNodes;
        return stream.Documents.Count == 0 ? null : Convert(stream.Documents[0].RootNode, 0, ref budget);
    }

    private static JsonNode? Convert(YamlNode node, int depth, ref int budget)
    {
        if (depth > JsonText.MaxDepth || --budget < 0)
        {
            throw ApiErrors.BadRequest($"the YAML body nests deeper than {JsonText.MaxDepth} levels or has more than {MaxNodes} nodes");
        }
        switch (node)
        {
            case YamlMappingNode mapping:
                var map = new JsonObject();
                foreach (var (key, value) in mapping.Children)
                {
                    map[((YamlScalarNode)key).Value ?? ""] = Convert(value, depth + 1, ref budget);
                }
                return map;
            case YamlSequenceNode sequence:
                var list = new JsonArray();
                foreach (var item in sequence.Children)
                {
                    list.Add(Convert(item, depth + 1, ref budget));
                }
                return list;
            case YamlScalarNode scalar:
                return Scalar(scalar);
            default:
                return null;
        }
    }

    private static JsonNode? Scalar(YamlScalarNode scalar)
    {
        var text = scalar.Value ?? "";
        if (scalar.Style != ScalarStyle.Plain)
        {
            return JsonValue.Create(text);
        }
        return text switch
        {
            "" or "~" or "null" or "Null" or "NULL" => null,
            "true" or "True" or "TRUE" => JsonValue.Create(true),
            "false" or "False" or "FALSE" => JsonValue.Create(false),
            _ when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var integer) => JsonValue.Create(integer),
            _ when (char.IsAsciiDigit(text[0]) || text[0] is '-' or '+' or '.') && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) => JsonValue.Create(number),
            _ => JsonValue.Create(text),
        };
    }
}
