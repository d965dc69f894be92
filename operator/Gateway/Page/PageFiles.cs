using System.Collections.Frozen;
using System.Security.Cryptography;

namespace Cluster.Operator.Gateway.Page;

/// <summary>The page's files, as they lie in this assembly.</summary>
internal static class PageFiles
{
    public const string Index = "index.html";

    private const string Prefix = "page/";

    private static readonly FrozenDictionary<string, PageFile> All = Load();

    public static IEnumerable<string> Names => All.Keys;

    public static PageFile? Find(string name) => All.GetValueOrDefault(name);

    private static FrozenDictionary<string, PageFile> Load()
    {
        var assembly = typeof(PageFiles).Assembly;
        return assembly.GetManifestResourceNames()
            .Where(resource => resource.StartsWith(Prefix, StringComparison.Ordinal))
            .ToFrozenDictionary(resource => resource[Prefix.Length..], resource =>
            {
                using var stream = assembly.GetManifestResourceStream(resource)!;
                var content = new byte[stream.Length];
                stream.ReadExactly(content);
                return new PageFile(TypeOf(resource), $"\"{Convert.ToHexStringLower(SHA256.HashData(content))[..16]}\"", content);
            }, StringComparer.Ordinal);
    }

    private static string TypeOf(string name) => Path.GetExtension(name) switch
    {
        ".html" => "text/html; charset=utf-8",
        ".css" => "text/css; charset=utf-8",
        ".js" => "text/javascript; charset=utf-8",
        ".svg" => "image/svg+xml",
        var other => throw new InvalidOperationException($"page file '{name}': no content type is known for '{other}'"),
    };
}

/// <param name="Tag">ETag: a browser that has this content need not have it again.</param>
internal sealed record PageFile(string ContentType, string Tag, ReadOnlyMemory<byte> Content);
