using System.Text.RegularExpressions;

namespace Cluster.Worker.Models.Sources;

/// <summary>One revision of a model repository on a hub.</summary>
/// <param name="Repository"><c>org/name</c>.</param>
/// <param name="Revision">Branch, tag, pull request (<c>refs/pr/1</c>) or commit.</param>
internal sealed partial record HubModel(string Repository, string Revision)
{
    public const string DefaultRevision = "main";

    /// <summary>Length of a commit hash in hexadecimal.</summary>
    public const int CommitLength = 40;

    public override string ToString() => $"hf://{Repository}@{Revision}";

    /// <param name="text"><c>org/name</c> or <c>org/name@revision</c>.</param>
    /// <param name="model">With <see cref="DefaultRevision"/> where the text has none.</param>
    public static bool TryParse(string text, out HubModel model)
    {
        var match = Form().Match(text);
        var revision = match.Groups["revision"] is { Success: true } given ? given.Value : DefaultRevision;
        model = new HubModel(match.Groups["repository"].Value, revision);
        return match.Success
            && !model.Repository.Split('/')
                .Any(part => part.Contains("..", StringComparison.Ordinal) || part.Contains("--", StringComparison.Ordinal))
                && IsRevision(revision);
    }

    /// <summary>Whether the text can name a git reference that is safe as a file name below <c>refs</c>.</summary>
    public static bool IsRevision(string text) => RevisionForm().IsMatch(text)
        && text.Split('/').All(part => part.Length > 0 && !part.Contains("..", StringComparison.Ordinal) && part != ".");

    /// <summary>Whether the text is a full commit hash, which no later push can move.</summary>
    public static bool IsCommit(string text) => text.Length == CommitLength && text.All(char.IsAsciiHexDigitLower);

    // Lengths as the hub has them: 96 characters a part.
    [GeneratedRegex(@"^(?<repository>[A-Za-z0-9_][-A-Za-z0-9._]{0,95}/[A-Za-z0-9_][-A-Za-z0-9._]{0,95})(@(?<revision>.+))?\z")]
    private static partial Regex Form();

    [GeneratedRegex(@"^[A-Za-z0-9_][-+A-Za-z0-9._/]{0,199}\z")]
    private static partial Regex RevisionForm();
}
