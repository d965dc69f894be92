using System.Text.RegularExpressions;

namespace Cluster.EndToEnd.Tests.Documents;

/// <summary>One Markdown file of the repository, as its tests read it: blocks, code in lines, links, headings.</summary>
internal sealed partial class Document
{
    private Document(string path)
    {
        Path = path;
        Lines = File.ReadAllLines(System.IO.Path.Combine(RepositoryRoot.Path, path));
        Blocks = [.. ReadBlocks(Lines)];
        Prose = [.. Lines.Select((text, index) => (Number: index + 1, Text: text))
            .Where(line => !Blocks.Any(block => block.Covers(line.Number)))];
    }

    /// <summary>The documents that a stranger reads.</summary>
    public static IReadOnlyList<Document> All { get; } =
    [
        .. new[] { "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "deploy/helm/cluster/README.md" }.Select(path => new Document(path)),
        .. Directory.EnumerateFiles(System.IO.Path.Combine(RepositoryRoot.Path, "docs"), "*.md").Order(StringComparer.Ordinal)
            .Select(file => new Document(System.IO.Path.GetRelativePath(RepositoryRoot.Path, file))),
    ];

    /// <summary>Relative to the repository, with forward slashes.</summary>
    public string Path { get; }

    public IReadOnlyList<string> Lines { get; }

    /// <summary>Fenced blocks in order.</summary>
    public IReadOnlyList<Block> Blocks { get; }

    /// <summary>The lines outside of blocks, with their numbers.</summary>
    public IReadOnlyList<(int Number, string Text)> Prose { get; }

    /// <summary>What stands between backticks in the prose.</summary>
    public IEnumerable<(int Line, string Text)> InlineCode =>
        Prose.SelectMany(line => Backticks().Matches(line.Text).Select(match => (line.Number, match.Groups[1].Value)));

    /// <summary>Targets of links and pictures in the prose.</summary>
    public IEnumerable<(int Line, string Target)> Links =>
        Prose.SelectMany(line => LinkTargets().Matches(line.Text).Select(match => (line.Number, match.Groups[1].Value)));

    /// <summary>The anchors that its headings make, as GitHub makes them.</summary>
    public IEnumerable<string> Anchors => Prose.Where(line => line.Text.StartsWith('#'))
        .Select(line => NotInAnchors().Replace(line.Text.TrimStart('#').Trim().ToLowerInvariant(), "").Replace(' ', '-'));

    public static Document At(string path) => All.Single(document => document.Path == path);

    private static IEnumerable<Block> ReadBlocks(IReadOnlyList<string> lines)
    {
        for (var i = 0; i < lines.Count; i++)
        {
            if (!lines[i].StartsWith("```", StringComparison.Ordinal))
            {
                continue;
            }

            var end = i + 1;
            while (end < lines.Count && lines[end] != "```")
            {
                end++;
            }

            yield return new Block(lines[i][3..].Trim(), i + 2, [.. lines.Skip(i + 1).Take(end - i - 1)]);
            i = end;
        }
    }

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Backticks();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex LinkTargets();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotInAnchors();
}

/// <summary>A fenced block.</summary>
/// <param name="Language">What stands behind the opening fence.</param>
/// <param name="FirstLine">Number of the first line inside.</param>
internal sealed record Block(string Language, int FirstLine, IReadOnlyList<string> Lines)
{
    public string Text => string.Join('\n', Lines);

    /// <summary>Whether a line is in it, its fences included.</summary>
    public bool Covers(int line) => line >= FirstLine - 1 && line <= FirstLine + Lines.Count;
}
