using System.Text.RegularExpressions;

namespace Cluster.EndToEnd.Tests.Documents;

/// <summary>A command that a document, a sample or the chart tells its reader to type.</summary>
/// <param name="Source">File and line: what failed, for the reader of a test's result.</param>
/// <param name="Text">As it stands there, on one line.</param>
/// <param name="IsMention">It stands in a sentence: arguments may be left out.</param>
internal sealed partial record DocumentedCommand(string Source, string Text, bool IsMention)
{
    /// <summary>Comments of other files that hold commands.</summary>
    private static readonly string[] Commented =
    [
        "Dockerfile.rocm",
        .. Directory.EnumerateFiles(Path.Combine(RepositoryRoot.Path, "deploy", "samples"), "*.yaml").Order(StringComparer.Ordinal)
            .Select(file => Path.GetRelativePath(RepositoryRoot.Path, file)),
    ];

    public static IReadOnlyList<DocumentedCommand> All { get; } =
    [
        .. Document.All.SelectMany(InBlocks),
        .. Document.All.SelectMany(InSentences),
        .. Commented.SelectMany(InComments),
        .. InNotes(),
    ];

    /// <summary>The programs of the pipeline; <c>dotnet run</c> stands for the program that it runs.</summary>
    public IReadOnlyList<Invocation> Pipeline { get; } =
        [.. ShellLine.Pipeline(Text).Where(words => words.Length > 0).Select(Invocation.Of)];

    /// <summary>The only program, where there is only one.</summary>
    public Invocation First => Pipeline[0];

    /// <summary>Something in it stands for what only the reader knows (<c>FILE</c>, <c>REGISTRY/…</c>), or for a model on the
    /// hub.</summary>
    public bool HasPlaceholder => Pipeline.SelectMany(one => one.Arguments).Any(word => Placeholders().IsMatch(word));

    public override string ToString() => $"{Source} {Text}";

    private static IEnumerable<DocumentedCommand> InBlocks(Document document) =>
        from block in document.Blocks
        where block.Language == "sh"
        from command in ShellLine.Commands(block.Lines)
        select new DocumentedCommand($"{document.Path}:{block.FirstLine + command.Line}", command.Text, IsMention: false);

    private static IEnumerable<DocumentedCommand> InSentences(Document document) =>
        from code in document.InlineCode
        let space = code.Text.IndexOf(' ', StringComparison.Ordinal)
        where space > 0 && Programs.Known.Contains(code.Text[..space])
        select new DocumentedCommand($"{document.Path}:{code.Line}", code.Text, IsMention: true);

    /// <summary>Comment lines that begin with a known program, or have one behind <c>On one machine:</c> and the like.</summary>
    private static IEnumerable<DocumentedCommand> InComments(string file)
    {
        var lines = File.ReadAllLines(Path.Combine(RepositoryRoot.Path, file)).TakeWhile(line => line.StartsWith('#'))
            .Select(line => CommentLead().Replace(line, "")).ToList();
        return from command in ShellLine.Commands(lines)
               let program = Programs.Known.FirstOrDefault(known => command.Text.StartsWith(known + " ", StringComparison.Ordinal))
               where program is not null
               select new DocumentedCommand($"{file}:{command.Line + 1}", command.Text, IsMention: false);
    }

    /// <summary>What helm prints after an installation, with a word in place of each template. Its paths begin at the chart.</summary>
    private static IEnumerable<DocumentedCommand> InNotes()
    {
        const string Chart = "deploy/helm/cluster";
        const string Notes = Chart + "/templates/NOTES.txt";
        var lines = File.ReadAllLines(Path.Combine(RepositoryRoot.Path, Notes))
            .Select(line => Templates().Replace(line, "VALUE").Trim()).ToList();
        return from command in ShellLine.Commands(lines)
               where command.Text.StartsWith("kubectl ", StringComparison.Ordinal)
               let alone = command.Text.Replace(" <<'EOF'", "", StringComparison.Ordinal)
               let text = alone.Replace(" crds/", $" {Chart}/crds/", StringComparison.Ordinal)
               select new DocumentedCommand($"{Notes}:{command.Line + 1}", text, IsMention: false);
    }

    [GeneratedRegex(@"(^|[/=,.])[A-Z]{3,}([/=.]|$)|…|^hf://")]
    private static partial Regex Placeholders();

    [GeneratedRegex(@"^#\s*(On [a-z ]+:\s+|then |.*, then )?")]
    private static partial Regex CommentLead();

    [GeneratedRegex(@"\{\{.*?\}\}")]
    private static partial Regex Templates();
}

/// <summary>One program with its arguments.</summary>
internal sealed partial record Invocation(string Program, IReadOnlyList<string> Arguments)
{
    /// <summary>Projects that are run by <c>dotnet run --project</c>, and the name of what they build.</summary>
    private static readonly Dictionary<string, string> Projects = new(StringComparer.Ordinal)
    {
        ["operator"] = "cluster-operator",
        ["worker"] = "cluster-worker",
        ["tests/Benchmarks"] = "benchmarks",
        ["tests/Fuzz"] = "fuzz",
        ["docs/examples/grpc-client"] = "grpc-client",
        ["docs/examples/offline"] = "offline",
    };

    public static Invocation Of(string[] words)
    {
        // Variables stand before the program.
        words = [.. words.SkipWhile(word => Variable().IsMatch(word))];
        if (words is ["dotnet", "run", "--project", var project, "-c", "Release", "--", .. var arguments]
            && Projects.TryGetValue(project, out var program))
        {
            return new Invocation(program, arguments);
        }

        return new Invocation(words[0], words[1..]);
    }

    [GeneratedRegex("^[A-Z_]+=")]
    private static partial Regex Variable();

    /// <summary>Options by their names, with what follows behind a <c>=</c> cut off.</summary>
    public IEnumerable<string> Options =>
        Arguments.Where(word => word.StartsWith('-') && word.Length > 1).Select(word => word.Split('=')[0]);
}
