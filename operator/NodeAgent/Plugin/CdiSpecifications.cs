using System.Text.Json.Nodes;
using Cluster.Operator.Manifests;
using Cluster.Operator.Yaml;

namespace Cluster.Operator.NodeAgent.Plugin;

/// <summary>What the node's CDI specifications call its GPUs, such as <c>amd.com/gpu=0</c>. Container runtimes that read the same files add
/// whatever these say belongs to a GPU. Source: the Container Device Interface's SPEC.md.</summary>
/// <remarks>
/// <code>
/// FOLDER/*.json, *.yaml: {kind: amd.com/gpu, devices: [{name: "0", containerEdits: {deviceNodes: [{path: /dev/dri/renderD128}, …]}}]}
/// </code>
/// </remarks>
internal static class CdiSpecifications
{
    private const string RenderNodePrefix = "/dev/dri/renderD";
    private const int MostFiles = 256;

    /// <param name="problems">Receives which files cannot be read.</param>
    /// <returns>Names by the render node that a device has; devices with several (<c>all</c>) are no GPU's own.</returns>
    public static IReadOnlyDictionary<string, string> Read(IEnumerable<string> folders, List<string> problems)
    {
        Dictionary<string, string> names = new(StringComparer.Ordinal);
        foreach (var file in folders.Where(Directory.Exists).SelectMany(Files))
        {
            try
            {
                Add(names, YamlJson.Parse(File.ReadAllText(file), file));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or YamlSyntaxException or InvalidOperationException)
            {
                problems.Add($"CDI specification {file}: {e.Message}");
            }
        }

        return names;
    }

    private static IEnumerable<string> Files(string folder) =>
        Directory.EnumerateFiles(folder).Where(file => Path.GetExtension(file) is ".json" or ".yaml").Order(StringComparer.Ordinal)
            .Take(MostFiles);

    private static void Add(Dictionary<string, string> names, JsonNode? specification)
    {
        foreach (var device in specification.Items("devices"))
        {
            List<string> renderNodes = [
                .. device.Items("containerEdits", "deviceNodes").Select(node => node.Text("hostPath") ?? node.Text("path") ?? "")
                    .Where(path => path.StartsWith(RenderNodePrefix, StringComparison.Ordinal))];
            if (renderNodes is [var only] && specification.Text("kind") is { } kind && device.Text("name") is { } name)
            {
                names.TryAdd(only, $"{kind}={name}");
            }
        }
    }
}
