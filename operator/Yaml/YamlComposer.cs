using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Cluster.Operator.Yaml;

/// <summary>Builds JSON trees from YamlDotNet's parser events. Called by <see cref="YamlJson"/>, once a text.</summary>
/// <remarks>An alias copies its anchor's tree, so a few lines can stand for gigabytes ("billion laughs"): every node, copied or not,
/// is paid for from one budget before it is made. Not the library's <c>KubernetesYaml</c>: that one makes objects of known types, reads
/// YAML 1.2 (<c>yes</c> is a text to it), has no such budget, and does not say where a text is wrong.</remarks>
/// <param name="duplicates">Receives the path (<c>spec.a[2].b</c>) of each key that occurs twice, whose last value then counts; null
/// refuses such keys.</param>
internal sealed class YamlComposer(string text, string file, List<string>? duplicates = null)
{
    private const int MaxDepth = 96;
    private const long NodeBudget = 2_000_000;
    private const string MergeKey = "<<";

    private readonly Parser _parser = new(new StringReader(text));
    private readonly Dictionary<AnchorName, Anchored> _anchors = [];
    private readonly List<string> _path = [];
    private long _spent;

    public IReadOnlyList<YamlDocument> Compose()
    {
        List<YamlDocument> documents = [];
        try
        {
            _parser.Consume<StreamStart>();
            while (!_parser.TryConsume<StreamEnd>(out _))
            {
                _parser.Consume<DocumentStart>();
                _anchors.Clear();
                var line = _parser.Current!.Start.Line;
                if (ReadNode(0) is { } root)
                {
                    documents.Add(new YamlDocument(root, line));
                }

                _parser.Consume<DocumentEnd>();
            }
        }
        catch (YamlException error)
        {
            throw new YamlSyntaxException(file, error.Start.Line, error.Start.Column, error.Message, error);
        }
        catch (Exception error)
            when (error is InvalidOperationException or ArgumentException or ArithmeticException or IndexOutOfRangeException
                or NullReferenceException)
        {
            // YamlDotNet's scanner breaks in these ways on some malformed texts instead of reporting them.
            var near = _parser.Current?.End ?? Mark.Empty;
            throw new YamlSyntaxException(file, Math.Max(1, near.Line), Math.Max(1, near.Column), "malformed YAML near here", error);
        }

        return documents;
    }

    private JsonNode? ReadNode(int depth)
    {
        var current = _parser.Current ?? throw new YamlSyntaxException(file, 1, 1, "the text ends in the middle of a document");
        if (depth > MaxDepth)
        {
            throw Error(current, $"nested deeper than {MaxDepth} levels");
        }

        if (current is AnchorAlias alias)
        {
            _parser.MoveNext();
            return Copy(alias);
        }

        var before = _spent;
        if (current is not NodeEvent start)
        {
            throw Error(current, $"expected a value, found {current.GetType().Name}");
        }

        JsonNode? node = start switch
        {
            Scalar => ReadScalar(_parser.Consume<Scalar>()),
            SequenceStart => ReadSequence(depth),
            MappingStart => ReadMapping(depth),
            _ => throw Error(current, $"expected a value, found {current.GetType().Name}"),
        };

        // Registered only now: an alias inside its own anchor would be a cycle, and is reported as unknown.
        if (!start.Anchor.IsEmpty)
        {
            _anchors[start.Anchor] = new Anchored(node, _spent - before);
        }

        return node;
    }

    private JsonNode? Copy(AnchorAlias alias)
    {
        if (!_anchors.TryGetValue(alias.Value, out var anchored))
        {
            throw Error(alias, $"alias '*{alias.Value}' has no anchor '&{alias.Value}' before it (an anchor cannot contain itself)");
        }

        Spend(anchored.Cost, alias);
        return anchored.Node?.DeepClone();
    }

    private JsonArray ReadSequence(int depth)
    {
        var start = _parser.Consume<SequenceStart>();
        RefuseTag(start, "tag:yaml.org,2002:seq");
        Spend(1, start);
        JsonArray array = [];
        while (!_parser.TryConsume<SequenceEnd>(out _))
        {
            array.Add(ReadMember($"[{array.Count}]", depth));
        }

        return array;
    }

    private JsonObject ReadMapping(int depth)
    {
        var start = _parser.Consume<MappingStart>();
        RefuseTag(start, "tag:yaml.org,2002:map");
        Spend(1, start);
        JsonObject mapping = [];
        List<JsonObject> merged = [];
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            var keyEvent = _parser.Current!;
            if (keyEvent is Scalar { Style: ScalarStyle.Plain, Value: MergeKey })
            {
                _parser.MoveNext();
                CollectMerged(keyEvent, ReadNode(depth + 1), merged);
                continue;
            }

            var key = ReadKey(keyEvent, depth);
            var member = _path.Count == 0 ? key : "." + key;
            if (mapping.ContainsKey(key))
            {
                (duplicates ?? throw Error(keyEvent, $"key '{key}' is already set in this mapping")).Add(string.Concat(_path) + member);
            }

            mapping[key] = ReadMember(member, depth);
        }

        // Keys of the mapping win over merged ones, earlier merges over later ones.
        foreach ((var key, var value) in merged.SelectMany(source => source).ToList())
        {
            if (!mapping.ContainsKey(key))
            {
                mapping[key] = value?.DeepClone();
            }
        }

        return mapping;
    }

    private JsonNode? ReadMember(string member, int depth)
    {
        _path.Add(member);
        var node = ReadNode(depth + 1);
        _path.RemoveAt(_path.Count - 1);
        return node;
    }

    private void CollectMerged(ParsingEvent at, JsonNode? value, List<JsonObject> merged)
    {
        switch (value)
        {
            case JsonObject mapping:
                merged.Add(mapping);
                break;
            case JsonArray list when list.All(item => item is JsonObject):
                merged.AddRange(list.Select(item => item!.AsObject()));
                break;
            default:
                throw Error(at, "'<<' merges a mapping or a list of mappings; found something else");
        }
    }

    private string ReadKey(ParsingEvent at, int depth)
    {
        var key = at is Scalar or AnchorAlias ? ReadNode(depth + 1) : throw Error(at, "a key must be a scalar; found a collection");
        return key switch
        {
            JsonValue value when value.TryGetValue(out string? text) => text,
            // As in Kubernetes: a key that reads as a number or a boolean is that value's text.
            JsonValue value => value.ToJsonString(),
            _ => throw Error(at, "a key cannot be null; quote it if the text is meant"),
        };
    }

    private JsonValue? ReadScalar(Scalar scalar)
    {
        Spend(1 + (scalar.Value.Length / 64), scalar);
        try
        {
            return Resolve(scalar);
        }
        catch (FormatException problem) when (problem is not YamlSyntaxException)
        {
            throw Error(scalar, problem.Message);
        }
    }

    private JsonValue? Resolve(Scalar scalar)
    {
        var value = scalar.Value;
        var tag = scalar.Tag.IsEmpty ? "" : scalar.Tag.Value;
        return tag switch
        {
            "" when scalar.Style != ScalarStyle.Plain => JsonValue.Create(value),
            "" when YamlScalar.IsNull(value) => null,
            "" when YamlScalar.AsBoolean(value) is { } flag => JsonValue.Create(flag),
            "" => YamlScalar.AsNumber(value) ?? JsonValue.Create(value),
            "!" or "tag:yaml.org,2002:str" => JsonValue.Create(value),
            "tag:yaml.org,2002:null" when YamlScalar.IsNull(value) => null,
            "tag:yaml.org,2002:bool" when YamlScalar.AsBoolean(value) is { } flag => JsonValue.Create(flag),
            "tag:yaml.org,2002:int" or "tag:yaml.org,2002:float" when YamlScalar.AsNumber(value) is { } number => number,
            _ => throw Error(scalar, $"'{value}' cannot have the tag {tag}; known tags: !!str, !!int, !!float, !!bool, !!null"),
        };
    }

    private void RefuseTag(NodeEvent node, string allowed)
    {
        if (!node.Tag.IsEmpty && node.Tag.Value != allowed)
        {
            throw Error(node, $"unknown tag {node.Tag.Value}");
        }
    }

    private void Spend(long cost, ParsingEvent at)
    {
        _spent += cost;
        if (_spent > NodeBudget)
        {
            throw Error(at, $"the text unfolds to more than {NodeBudget} values (aliases count every time they are used)");
        }
    }

    private YamlSyntaxException Error(ParsingEvent at, string problem) => new(file, at.Start.Line, at.Start.Column, problem);

    private sealed record Anchored(JsonNode? Node, long Cost);
}
