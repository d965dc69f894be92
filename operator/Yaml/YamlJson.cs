using System.Text;
using System.Text.Json.Nodes;

namespace Cluster.Operator.Yaml;

/// <summary>YAML text to JSON trees and back, with the meaning Kubernetes gives to YAML. Used for manifests, kubeconfigs, the CRD and
/// <c>render</c>.</summary>
internal static class YamlJson
{
    /// <summary>Largest text accepted, characters. etcd refuses objects above 1.5 MiB; bundles of many objects are larger.</summary>
    public const int MaxCharacters = 32 << 20;

    /// <summary>Reads every document; empty documents are left out.</summary>
    /// <param name="text">YAML or JSON.</param>
    /// <param name="file">Name for errors.</param>
    /// <exception cref="YamlSyntaxException">Malformed, too deep, too large, duplicate keys, or a value JSON cannot hold.</exception>
    /// <param name="duplicates">Receives the path of each key that occurs twice; null makes that an error.</param>
    public static IReadOnlyList<YamlDocument> ParseAll(string text, string file, List<string>? duplicates = null)
    {
        if (text.Length > MaxCharacters)
        {
            throw new YamlSyntaxException(file, 1, 1, $"the file has {text.Length} characters; the most accepted is {MaxCharacters}");
        }

        return new YamlComposer(text, file, duplicates).Compose();
    }

    /// <summary>Reads a text with exactly one document.</summary>
    /// <exception cref="YamlSyntaxException">As <see cref="ParseAll"/>, and when there is no document or more than one.</exception>
    public static JsonNode? Parse(string text, string file)
    {
        var documents = ParseAll(text, file);
        return documents.Count == 1
            ? documents[0].Root
            : throw new YamlSyntaxException(
                file, documents.Count > 1 ? documents[1].Line : 1, 1, $"expected one YAML document, found {documents.Count}");
    }

    /// <summary>Block-style YAML that reads back as an equal tree; keys stay in their order.</summary>
    public static string ToYaml(JsonNode? node)
    {
        StringBuilder text = new();
        YamlWriter.Write(text, node);
        return text.ToString();
    }
}

/// <summary>One document of a YAML stream.</summary>
/// <param name="Root">Never null: empty documents are not reported.</param>
/// <param name="Line">1-based line of its first token.</param>
internal sealed record YamlDocument(JsonNode Root, long Line);
