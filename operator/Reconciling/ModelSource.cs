namespace Cluster.Operator.Reconciling;

/// <summary>Where a model's files come from.</summary>
internal abstract record ModelSource
{
    /// <exception cref="FormatException">The text is none of the three forms.</exception>
    public static ModelSource Parse(string source)
    {
        if (source.StartsWith("hf://", StringComparison.Ordinal))
        {
            string[] parts = source[5..].Split('@', 2);
            if (parts[0].Split('/') is [{ Length: > 0 }, { Length: > 0 }] && parts is [_] or [_, { Length: > 0 }])
            {
                return new HuggingFace(parts[0], parts.Length == 2 ? parts[1] : null);
            }
        }
        else if (source.StartsWith("pvc://", StringComparison.Ordinal))
        {
            string[] parts = source[6..].Split('/', 2);
            if (parts[0].Length > 0 && !source.Split('/').Contains(".."))
            {
                return new Pvc(parts[0], parts.Length == 2 ? parts[1].Trim('/') : "");
            }
        }
        else if (source.StartsWith("file:///", StringComparison.Ordinal) && source.Length > 8 && !source.Split('/').Contains(".."))
        {
            return new File(source[7..].TrimEnd('/'));
        }

        throw new FormatException($"model source '{source}' is none of hf://org/name[@revision], pvc://claim/path, file:///path");
    }

    public sealed record HuggingFace(string Repository, string? Revision) : ModelSource;

    public sealed record Pvc(string Claim, string Path) : ModelSource;

    public sealed record File(string Path) : ModelSource;
}
