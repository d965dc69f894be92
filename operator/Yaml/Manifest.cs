using System.Text.Json.Nodes;

namespace Cluster.Operator.Yaml;

/// <summary>One object a user wrote: what <c>local -f</c>, <c>render</c> and <c>crd</c> work on.</summary>
/// <param name="Object">Has apiVersion, kind and a name (or generateName).</param>
/// <param name="Origin"><c>file:line</c> of the document, for messages about it.</param>
internal sealed record Manifest(JsonObject Object, string Origin)
{
    private static readonly string[] Extensions = [".yaml", ".yml", ".json"];

    public string Kind => (string)Object["kind"]!;

    public string ApiVersion => (string)Object["apiVersion"]!;

    /// <summary>metadata.name, or metadata.generateName where the server shall complete it.</summary>
    public string Name => (string?)Object["metadata"]!["name"] ?? (string)Object["metadata"]!["generateName"]!;

    public string? Namespace => (string?)Object["metadata"]!["namespace"];

    /// <summary>Reads a file, every manifest of a folder (not its subfolders), or standard input.</summary>
    /// <param name="path">A path, or <c>-</c> for standard input.</param>
    /// <exception cref="FileNotFoundException">Nothing is there.</exception>
    /// <exception cref="YamlSyntaxException">The text is no YAML, or a document is no API object.</exception>
    public static IReadOnlyList<Manifest> Load(string path)
    {
        if (path == "-")
        {
            return Parse(ReadBounded(Console.In, "standard input"), "standard input");
        }

        if (Directory.Exists(path))
        {
            List<Manifest> all = [.. Directory.EnumerateFiles(path)
                .Where(file => Extensions.Contains(Path.GetExtension(file), StringComparer.Ordinal))
                .Order(StringComparer.Ordinal)
                .SelectMany(LoadFile)];
            return all.Count > 0
                ? all
                : throw new FileNotFoundException($"folder '{path}' holds no manifest (*.yaml, *.yml, *.json)", path);
        }

        return RegularFile.IsThere(path) ? LoadFile(path) : throw new FileNotFoundException($"manifest '{path}' does not exist", path);
    }

    /// <summary>Reads all documents of a text; a <c>kind: List</c> counts as its items.</summary>
    /// <exception cref="YamlSyntaxException">As <see cref="Load"/>.</exception>
    public static IReadOnlyList<Manifest> Parse(string text, string file)
    {
        List<Manifest> manifests = [];
        foreach (var document in YamlJson.ParseAll(text, file))
        {
            Add(manifests, document.Root, file, document.Line);
        }

        return manifests.Count > 0 ? manifests : throw new YamlSyntaxException(file, 1, 1, "holds no API object");
    }

    private static IReadOnlyList<Manifest> LoadFile(string path)
    {
        using StreamReader reader = new(RegularFile.OpenStream(path, FileKind.Manifest));
        return Parse(ReadBounded(reader, path), path);
    }

    private static string ReadBounded(TextReader reader, string name)
    {
        var buffer = new char[64 << 10];
        System.Text.StringBuilder text = new();
        while (reader.ReadBlock(buffer) is > 0 and int count)
        {
            text.Append(buffer, 0, count);
            if (text.Length > YamlJson.MaxCharacters)
            {
                throw new YamlSyntaxException(name, 1, 1, $"has more than the {YamlJson.MaxCharacters} characters accepted");
            }
        }

        return text.ToString();
    }

    private static void Add(List<Manifest> manifests, JsonNode root, string file, long line)
    {
        if (root is not JsonObject manifest)
        {
            throw new YamlSyntaxException(file, line, 1, "expected an API object (a mapping with apiVersion, kind and metadata)");
        }

        var apiVersion = Text(manifest, "apiVersion", file, line);
        var kind = Text(manifest, "kind", file, line);
        if (apiVersion == "v1" && kind == "List")
        {
            foreach (var item in manifest["items"] as JsonArray ?? throw new YamlSyntaxException(file, line, 1, "a List needs 'items'"))
            {
                Add(manifests, item?.DeepClone() ?? throw new YamlSyntaxException(file, line, 1, "a List item is null"), file, line);
            }

            return;
        }

        if (manifest["metadata"] is not JsonObject metadata)
        {
            throw new YamlSyntaxException(file, line, 1, $"{kind} has no 'metadata'");
        }

        Text(metadata, metadata.ContainsKey("generateName") && !metadata.ContainsKey("name") ? "generateName" : "name", file, line,
            $"{kind}: metadata.");
        if (metadata["namespace"] is not null)
        {
            Text(metadata, "namespace", file, line, $"{kind}: metadata.");
        }

        manifests.Add(new Manifest(manifest, $"{file}:{line}"));
    }

    private static string Text(JsonObject from, string field, string file, long line, string prefix = "")
        => from[field] switch
        {
            JsonValue value when value.TryGetValue(out string? text) && text.Length > 0 => text,
            null => throw new YamlSyntaxException(file, line, 1, $"'{prefix}{field}' is missing"),
            JsonNode other =>
                throw new YamlSyntaxException(file, line, 1, $"'{prefix}{field}' must be a non-empty string, found {other.ToJsonString()}"),
        };
}
