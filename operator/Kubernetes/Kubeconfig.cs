using System.Text.Json.Nodes;
using Cluster.Operator.Yaml;
using YamlDotNet.Core;
using YamlDotNet.Serialization;
using YamlDotNet.Serialization.NamingConventions;

namespace Cluster.Operator.Kubernetes;

/// <summary>One kubeconfig file or several merged, as written. <see cref="ClientConfigurationLoader"/> makes a
/// <see cref="ClientConfiguration"/> of it.</summary>
/// <remarks>The library's loader is not enough here: it resolves the paths of every merged file at the first one's folder, drops
/// <c>tokenFile</c>, <c>proxy-url</c> and <c>as-uid</c>, fails on <c>as-user-extra</c>, and does not say where a file is malformed. So
/// files are merged as trees, and what is chosen is read into its models.</remarks>
internal sealed class Kubeconfig
{
    private static readonly string[] PathFields = ["certificate-authority", "client-certificate", "client-key", "tokenFile"];

    /// <summary>Not <c>KubernetesYaml</c>, which loads every type of the library before it reads the first text: 26 MiB.</summary>
    private static readonly IDeserializer Models = new DeserializerBuilder().WithNamingConvention(CamelCaseNamingConvention.Instance)
        .IgnoreUnmatchedProperties().Build();

    private readonly Dictionary<string, List<JsonObject>> _entries = new(StringComparer.Ordinal)
    {
        ["cluster"] = [],
        ["context"] = [],
        ["user"] = []
    };

    public string? CurrentContext { get; private set; }

    /// <summary>Reads and merges: the first file that sets a name or the current context wins, as with kubectl.</summary>
    /// <exception cref="KubernetesException">A file cannot be read or is no kubeconfig; the message names file and place.</exception>
    public static Kubeconfig Load(IEnumerable<string> paths)
    {
        var merged = new Kubeconfig();
        foreach (var path in paths)
        {
            merged.Add(LoadFile(path), path);
        }

        return merged;
    }

    /// <summary>The body of the entry with this name; null when there is none.</summary>
    /// <param name="kind"><c>cluster</c>, <c>context</c> or <c>user</c>.</param>
    public JsonObject? Find(string kind, string? name) => _entries[kind].Find(entry => Text(entry, "name") == name)?[kind] as JsonObject;

    /// <summary>The names of a kind, quoted, for messages.</summary>
    public string Names(string kind)
        => string.Join(", ", _entries[kind].Select(entry => $"'{Text(entry, "name")}'")) is { Length: > 0 } list ? list : "none";

    /// <summary>Reads an entry into one of the library's models.</summary>
    /// <param name="at">Which entry, for the error.</param>
    /// <exception cref="KubernetesException">A field has the wrong type.</exception>
    public static T Read<T>(JsonObject body, string at)
        where T : new()
    {
        try
        {
            // JSON is YAML.
            return body.Count == 0 ? new T() : Models.Deserialize<T>(body.ToJsonString());
        }
        catch (YamlException error)
        {
            throw new KubernetesException(0, "Configuration", $"{at}: {(error.InnerException ?? error).Message}", error);
        }
    }

    /// <summary>The text of a field that the library's models lack; null when it is absent or empty. A number or a boolean is its
    /// text.</summary>
    public static string? Text(JsonObject body, string field) =>
        body[field] is JsonValue value && value.ToString() is { Length: > 0 } text ? text : null;

    private void Add(JsonObject file, string path)
    {
        CurrentContext ??= Text(file, "current-context");
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        foreach (var (kind, known) in _entries)
        {
            foreach (var entry in (file[$"{kind}s"] as JsonArray ?? []).OfType<JsonObject>().ToList())
            {
                if (Text(entry, "name") is { } name && !known.Exists(other => Text(other, "name") == name))
                {
                    ResolvePaths(entry[kind] as JsonObject ?? [], folder);
                    known.Add(entry);
                }
            }
        }
    }

    /// <summary>Relative paths start at the folder of the file they are written in.</summary>
    private static void ResolvePaths(JsonObject body, string folder)
    {
        foreach (var field in PathFields)
        {
            if (Text(body, field) is { } path)
            {
                body[field] = Path.Combine(folder, path);
            }
        }

        // A bare command is looked up in PATH; anything with a folder in it is a path.
        if (body["exec"] is JsonObject exec
            && Text(exec, "command") is { } command
            && command.Contains(Path.DirectorySeparatorChar, StringComparison.Ordinal))
        {
            exec["command"] = Path.Combine(folder, command);
        }
    }

    private static JsonObject LoadFile(string path)
    {
        try
        {
            return YamlJson.ParseAll(RegularFile.ReadText(path, FileKind.Kubeconfig), path) switch
            {
                [] => [],
                [{ Root: JsonObject root }] => root,
                _ => throw new KubernetesException(0, "Configuration", $"kubeconfig '{path}': expected one mapping (kind: Config)"),
            };
        }
        catch (YamlSyntaxException error)
        {
            throw new KubernetesException(0, "Configuration", $"kubeconfig {error.Message}", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new KubernetesException(0, "Configuration", $"kubeconfig '{path}': {error.Message}", error);
        }
    }
}
