using System.Globalization;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Cluster.Operator.Local.ApiServer;

/// <summary>The first YAML document of a request body as a JSON tree (YAML 1.2 core schema, which is what <c>sigs.k8s.io/yaml</c> accepts in practice). The only file of the server that knows the YAML library.</summary>
/// <remarks>Built from the event stream, not the library's node tree, so that depth and alias expansion are bounded before anything is allocated.</remarks>
internal sealed class YamlText
{
    // Aliases can blow a small document up; no honest manifest has this many nodes.
    private const int MaxNodes = 200_000;

    private readonly IParser _parser;
    private readonly List<string>? _duplicates;
    private readonly Dictionary<AnchorName, (JsonNode? Value, int Nodes)> _anchors = [];
    private int _nodes;

    private YamlText(string text, List<string>? duplicates)
    {
        _parser = new Parser(new StringReader(text));
        _duplicates = duplicates;
    }

    /// <param name="duplicates">Receives <c>spec.a</c> for each key that occurs twice.</param>
    /// <exception cref="ApiException">400 when the text is not YAML, nests too deeply or expands to too many nodes.</exception>
    public static JsonNode? Parse(string text, List<string>? duplicates = null)
    {
        var yaml = new YamlText(text, duplicates);
        try
        {
            yaml._parser.Consume<StreamStart>();
            return yaml._parser.TryConsume<DocumentStart>(out _) ? yaml.ReadNode("", 0) : null;
        }
        catch (YamlException error)
        {
            throw ApiErrors.BadRequest($"the request body is not valid YAML: line {error.Start.Line}: {error.Message}");
        }
    }

    private JsonNode? ReadNode(string path, int depth)
    {
        if (depth > JsonText.MaxBodyDepth)
        {
            throw ApiErrors.BadRequest($"the YAML body nests deeper than {JsonText.MaxBodyDepth} levels");
        }
        var before = _nodes;
        Count(1);
        switch (_parser.Consume<ParsingEvent>())
        {
            case AnchorAlias alias:
                if (!_anchors.TryGetValue(alias.Value, out var target))
                {
                    throw ApiErrors.BadRequest($"the YAML body uses the alias *{alias.Value} before its anchor is complete");
                }
                Count(target.Nodes);
                return target.Value?.DeepClone();
            case Scalar scalar:
                return Anchored(scalar, Value(scalar), before);
            case SequenceStart start:
                var list = new JsonArray();
                while (!_parser.TryConsume<SequenceEnd>(out _))
                {
                    list.Add(ReadNode($"{path}[{list.Count}]", depth + 1));
                }
                return Anchored(start, list, before);
            case MappingStart start:
                var map = new JsonObject();
                while (!_parser.TryConsume<MappingEnd>(out _))
                {
                    var key = _parser.Consume<Scalar>().Value;
                    var childPath = path.Length == 0 ? key : $"{path}.{key}";
                    if (map.ContainsKey(key))
                    {
                        _duplicates?.Add(childPath);
                    }
                    map[key] = ReadNode(childPath, depth + 1);
                }
                return Anchored(start, map, before);
            case var other:
                throw ApiErrors.BadRequest($"the request body is not valid YAML: line {other.Start.Line}: unexpected {other.GetType().Name}");
        }
    }

    private JsonNode? Anchored(NodeEvent start, JsonNode? value, int nodesBefore)
    {
        if (!start.Anchor.IsEmpty)
        {
            _anchors[start.Anchor] = (value, _nodes - nodesBefore);
        }
        return value;
    }

    private void Count(int nodes)
    {
        _nodes += nodes;
        if (_nodes > MaxNodes)
        {
            throw ApiErrors.BadRequest($"the YAML body has more than {MaxNodes} nodes");
        }
    }

    private static JsonNode? Value(Scalar scalar)
    {
        var text = scalar.Value;
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
