using System.Collections.Frozen;

namespace Cluster.Operator.Local.ApiServer.Discovery;

/// <summary>What Kubernetes' documentation says of types and fields: the summaries of the client library's classes, which the build takes
/// out of its documentation file (Operator.csproj).</summary>
internal static class FieldDescriptions
{
    private const string Resource = "FieldDescriptions.txt";

    private static readonly Lazy<FrozenDictionary<string, string>> All = new(Read);

    /// <param name="member">Such as <c>V1PodSpec</c> or <c>V1PodSpec.Containers</c>.</param>
    public static string? Of(string member) => All.Value.GetValueOrDefault(member);

    private static FrozenDictionary<string, string> Read()
    {
        using var reader = new StreamReader(typeof(FieldDescriptions).Assembly.GetManifestResourceStream(Resource)!);
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        while (reader.ReadLine() is { } line)
        {
            if (line.Split('\t', 2) is [var member, var text])
            {
                texts[member] = text;
            }
        }

        return texts.ToFrozenDictionary(StringComparer.Ordinal);
    }
}
