using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;
using Cluster.Common;

namespace Cluster.Operator.Api;

/// <summary>Where a checkpoint comes from, taken apart: <c>hf://org/name@revision</c>, <c>oci://registry/image:tag</c>,
/// <c>pvc://claim/path</c> or <c>file:///path</c>.</summary>
internal abstract partial record ModelSource
{
    /// <summary>The schema's pattern. <see cref="TryParse"/> is stricter where a regular expression would become unreadable.</summary>
    public const string Pattern = "^(" + Forms + ")$";

    /// <summary>The same of a draft model's, which may be none: <see cref="WorkerFlags.Ngram"/>.</summary>
    public const string DraftPattern = @"^(\[ngram\]|" + Forms + ")$";

    /// <summary>The schema's pattern of a source that is a folder: a claim's or every node's.</summary>
    public const string FolderPattern = @"^(pvc://[a-z0-9][-a-z0-9.]*(/[^\s]*)?|file:///[^\s]+)$";

    private const string Forms =
        @"hf://[A-Za-z0-9][-A-Za-z0-9._]*/[A-Za-z0-9][-A-Za-z0-9._]*(@[A-Za-z0-9][-A-Za-z0-9._/]*)?|"
        + @"oci://[A-Za-z0-9][-A-Za-z0-9.:]*/[a-z0-9][-a-z0-9._/]*(:[A-Za-z0-9_][-A-Za-z0-9_.]*)?(@sha256:[0-9a-f]{64})?|"
        + @"pvc://[a-z0-9][-a-z0-9.]*(/[^\s]*)?|file:///[^\s]+";

    private const int MaxLength = 1024;

    private ModelSource()
    {
    }

    /// <summary>A repository of the Hugging Face hub.</summary>
    /// <param name="Repository"><c>org/name</c>.</param>
    /// <param name="Revision">Branch, tag or commit; <c>main</c> where none was given.</param>
    internal sealed record Hf(string Repository, string Revision) : ModelSource
    {
        public override string ToString() => $"hf://{Repository}@{Revision}";
    }

    /// <summary>An OCI image or artifact whose files are the checkpoint.</summary>
    /// <param name="Reference"><c>registry/image</c> with a tag, a digest, both or neither.</param>
    internal sealed record Oci(string Reference) : ModelSource
    {
        /// <summary>The last part of its path, without tag and digest.</summary>
        public string Name
        {
            get
            {
                var path = Reference.Split('@')[0];
                var last = path[(path.LastIndexOf('/') + 1)..];
                return last.Split(':')[0];
            }
        }

        public override string ToString() => $"oci://{Reference}";
    }

    /// <summary>A folder on a persistent volume claim of the deployment's namespace.</summary>
    /// <param name="Path">Relative to the volume, without a leading slash; empty for its root.</param>
    internal sealed record Pvc(string Claim, string Path) : ModelSource
    {
        public override string ToString() => $"pvc://{Claim}/{Path}";
    }

    /// <summary>A folder that every GPU node has.</summary>
    /// <param name="Path">Absolute.</param>
    internal sealed record File(string Path) : ModelSource
    {
        public override string ToString() => $"file://{Path}";
    }

    /// <exception cref="FormatException">The text is no source; the message says what would be right.</exception>
    public static ModelSource Parse(string text)
        => TryParse(text, out var source, out var problem) ? source : throw new FormatException(problem);

    /// <param name="problem">What is wrong and what would be right, naming the value.</param>
    public static bool TryParse(string? text, [NotNullWhen(true)] out ModelSource? source, [NotNullWhen(false)] out string? problem)
    {
        source = null;
        problem = null;
        if (string.IsNullOrEmpty(text) || text.Length > MaxLength || text.Any(c => char.IsWhiteSpace(c) || char.IsControl(c)))
        {
            problem = Wrong(text, text?.Length > MaxLength ? $"is longer than {MaxLength} characters" : "is empty or has spaces in it");
        }
        else if (text.StartsWith("hf://", StringComparison.Ordinal))
        {
            source = ParseHf(text, ref problem);
        }
        else if (text.StartsWith("oci://", StringComparison.Ordinal))
        {
            source = OciForm().IsMatch(text) ? new Oci(text["oci://".Length..]) : null;
            problem = source is null
                ? Wrong(text, "names no image with its registry (lower case; a digest is sha256: and 64 digits)")
                : null;
        }
        else if (text.StartsWith("pvc://", StringComparison.Ordinal))
        {
            source = ParsePvc(text, ref problem);
        }
        else if (text.StartsWith("file://", StringComparison.Ordinal))
        {
            source = ParseFile(text, ref problem);
        }
        else
        {
            problem = Wrong(text, "has no known scheme");
        }

        return (source is null) == (problem is null)
            ? throw new InvalidOperationException($"'{text}' was neither read nor refused")
            : source is not null;
    }

    private static Hf? ParseHf(string text, ref string? problem)
    {
        var match = HfForm().Match(text);
        var revision = match.Groups["revision"] is { Success: true } given ? given.Value : "main";
        if (!match.Success)
        {
            problem = Wrong(text, "does not name one repository");
            return null;
        }

        if (HasTraversal(match.Groups["repository"].Value) || HasTraversal(revision))
        {
            problem = Wrong(text, "has '..', '.' or an empty part in it");
            return null;
        }

        return new Hf(match.Groups["repository"].Value, revision);
    }

    private static Pvc? ParsePvc(string text, ref string? problem)
    {
        var match = PvcForm().Match(text);
        var path = match.Groups["path"].Value.TrimEnd('/');
        if (!match.Success)
        {
            problem = Wrong(text, "does not name a claim (lower case letters, digits, '-' and '.')");
            return null;
        }

        if (path.Length > 0 && HasTraversal(path))
        {
            problem = Wrong(text, "has '..', '.' or an empty part in its path");
            return null;
        }

        return new Pvc(match.Groups["claim"].Value, path);
    }

    private static File? ParseFile(string text, ref string? problem)
    {
        var path = text["file://".Length..];
        if (!path.StartsWith('/') || path.TrimEnd('/').Length == 0)
        {
            problem = Wrong(text, "needs an absolute path below '/' (three slashes)");
            return null;
        }

        path = path.TrimEnd('/');
        if (HasTraversal(path[1..]))
        {
            problem = Wrong(text, "has '..', '.' or an empty part in its path");
            return null;
        }

        return new File(path);
    }

    private static bool HasTraversal(string path) => path.Split('/').Any(part => part is "" or "." or "..");

    private static string Wrong(string? text, string problem)
        => $"'{text}' {problem}; expected hf://org/name, hf://org/name@revision, oci://registry/image:tag, pvc://claim/path or "
            + "file:///path";

    [GeneratedRegex(
        @"^hf://(?<repository>[A-Za-z0-9][-A-Za-z0-9._]*/[A-Za-z0-9][-A-Za-z0-9._]*)(@(?<revision>[A-Za-z0-9][-A-Za-z0-9._/]*))?\z")]
    private static partial Regex HfForm();

    // github.com/distribution/reference: a domain, path components, a tag and a digest.
    [GeneratedRegex(
        @"^oci://[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)+"
        + @"(:[A-Za-z0-9_][-A-Za-z0-9_.]{0,127})?(@sha256:[0-9a-f]{64})?\z")]
    private static partial Regex OciForm();

    [GeneratedRegex(@"^pvc://(?<claim>[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)(/(?<path>.*))?\z")]
    private static partial Regex PvcForm();
}
