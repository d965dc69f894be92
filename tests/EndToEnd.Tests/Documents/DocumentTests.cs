using System.Text.RegularExpressions;

namespace Cluster.EndToEnd.Tests.Documents;

/// <summary>What the documents say of the repository is so: links, flags, metrics, variables and code.</summary>
public sealed partial class DocumentTests
{
    private static readonly string[] Languages = ["sh", "text", "yaml", "json", "js", "csharp", "python"];

    /// <summary>Flags of programs that are not ours.</summary>
    private static readonly string[] ForeignFlags = ["--set", "--dry-run", "--help", "--filter", "--force-conflicts"];

    private static readonly Lazy<string> Sources = new(() => string.Join('\n', ReadSources(".cs", ".proto", ".mjs")));

    private static readonly Lazy<string> Settings = new(() => string.Join('\n', ReadSources(".cs", ".yaml", ".tpl", ".rocm")));

    private static readonly Lazy<HashSet<string>> OurFlags = new(
        () => [.. ReadFlags(), .. Worker.Commands.Lines.ForeignFlags.AllNames, "--threads", "--ranks", "--nodes"]);

    public static TheoryData<string> Paths { get; } = [.. Document.All.Select(document => document.Path)];

    [Fact]
    public void The_readme_can_be_read_in_one_go()
    {
        Assert.InRange(Document.At("README.md").Lines.Count, 60, 170);
    }

    [Fact]
    public void The_readme_names_every_document()
    {
        var links = Document.At("README.md").Links.Select(link => link.Target).ToList();

        Assert.Empty(Document.All.Select(document => document.Path).Except(["README.md", "deploy/helm/cluster/README.md"]).Except(links));
    }

    [Theory, MemberData(nameof(Paths))]
    public void Links_lead_somewhere(string path)
    {
        var document = Document.At(path);
        var folder = Path.GetDirectoryName(path)!;

        Assert.Empty(document.Links.Where(link => !Uri.IsWellFormedUriString(link.Target, UriKind.Absolute) && !Resolves(link.Target))
            .Select(link => $"{path}:{link.Line} {link.Target}"));

        bool Resolves(string target)
        {
            var (file, anchor) = target.Split('#') is [var first, var second] ? (first, second) : (target, null);
            var full = Path.GetRelativePath(RepositoryRoot.Path, Path.GetFullPath(Path.Combine(RepositoryRoot.Path, folder, file)));
            var there = file.Length == 0 ? document : Document.All.SingleOrDefault(candidate => candidate.Path == full);
            return (file.Length == 0 || Path.Exists(Path.Combine(RepositoryRoot.Path, full)))
                && (anchor is null || there?.Anchors.Contains(anchor) == true);
        }
    }

    /// <summary>So that no command hides in a block that nobody runs.</summary>
    [Theory, MemberData(nameof(Paths))]
    public void Every_block_says_its_language(string path)
    {
        Assert.Empty(Document.At(path).Blocks.Where(block => !Languages.Contains(block.Language))
            .Select(block => $"{path}:{block.FirstLine} '{block.Language}'"));
    }

    [Theory, MemberData(nameof(Paths))]
    public void Flags_are_those_of_our_programs(string path)
    {
        var flags = Document.At(path).InlineCode.Where(code => Flag().IsMatch(code.Text))
            .Select(code => (code.Line, Name: Flag().Match(code.Text).Value));

        Assert.Empty(flags.Where(flag => !OurFlags.Value.Contains(flag.Name) && !ForeignFlags.Contains(flag.Name))
            .Select(flag => $"{path}:{flag.Line} {flag.Name}"));
    }

    [Theory, MemberData(nameof(Paths))]
    public void Metrics_are_those_that_are_exported(string path)
    {
        var known = MetricInSource().Matches(Sources.Value)
            .Select(match => match.Groups[1].Value.Replace('.', ':')).ToHashSet(StringComparer.Ordinal);
        Assert.Contains("vllm:num_requests_running", known);
        Assert.Contains("workqueue_depth", known);
        var named = Document.At(path).Lines
            .SelectMany((text, index) => MetricInText().Matches(text).Select(match => (Line: index + 1, Name: match.Value)));

        Assert.Empty(named.Where(metric => !IsKnown(metric.Name)).Select(metric => $"{path}:{metric.Line} {metric.Name}"));

        // What ends in an underscore had a star behind it.
        bool IsKnown(string name) =>
            name.EndsWith('_') ? known.Any(one => one.StartsWith(name, StringComparison.Ordinal)) : known.Contains(name);
    }

    [Theory, MemberData(nameof(Paths))]
    public void Variables_of_the_environment_and_words_in_capitals_are_in_the_sources(string path)
    {
        var named = Document.At(path).InlineCode.Where(code => Variable().IsMatch(code.Text));

        Assert.Empty(named.Where(name => !IsKnown(name.Text)).Select(name => $"{path}:{name.Line} {name.Text}"));

        static bool IsKnown(string name) =>
            Settings.Value.Contains(name, StringComparison.Ordinal)
            || Sources.Value.Contains(Pascal(name), StringComparison.OrdinalIgnoreCase);
    }

    [Theory, MemberData(nameof(Paths))]
    public void Values_of_the_chart_are_in_its_schema(string path)
    {
        var named = Document.At(path).InlineCode.Where(code => ChartValue().IsMatch(code.Text));

        Assert.Empty(named.Where(value => !Helm.IsValue(value.Text)).Select(value => $"{path}:{value.Line} {value.Text}"));
    }

    [Theory, MemberData(nameof(Paths))]
    public void Code_uses_names_that_the_sources_have(string path)
    {
        var names =
            from block in Document.At(path).Blocks
            where block.Language == "csharp"
            from line in block.Lines.Select((text, index) => (Number: block.FirstLine + index, Text: text))
            from match in Identifier().Matches(Comment().Replace(Literal().Replace(line.Text, ""), ""))
            select (Line: line.Number, Name: match.Value);

        Assert.Empty(names.Where(name => !Regex.IsMatch(Sources.Value, $@"\b{name.Name}\b"))
            .Select(name => $"{path}:{name.Line} {name.Name}"));
    }

    [Fact]
    public void The_example_in_csharp_is_the_program_that_is_run()
    {
        var program = File.ReadAllText(Path.Combine(RepositoryRoot.Path, "docs", "examples", "grpc-client", "Program.cs"));

        Assert.Equal(program.TrimEnd(), Document.At("docs/api.md").Blocks.Single(block => block.Language == "csharp").Text);
    }

    [Fact]
    public void The_example_of_a_program_without_a_server_is_the_one_that_is_run()
    {
        var program = File.ReadAllText(Path.Combine(RepositoryRoot.Path, "docs", "examples", "offline", "Program.cs"));

        Assert.Equal(program.TrimEnd(), Document.At("docs/offline.md").Blocks.Single(block => block.Language == "csharp").Text);
    }

    [Fact]
    public void The_license_is_apache_2_and_the_changelog_has_this_version()
    {
        var license = File.ReadAllText(Path.Combine(RepositoryRoot.Path, "LICENSE"));
        var version = VersionInProps().Match(File.ReadAllText(Path.Combine(RepositoryRoot.Path, "Directory.Build.props"))).Groups[1].Value;

        Assert.Contains("Apache License", license, StringComparison.Ordinal);
        Assert.Contains("END OF TERMS AND CONDITIONS", license, StringComparison.Ordinal);
        Assert.Contains(Document.At("CHANGELOG.md").Lines, line => line.StartsWith($"## [{version}]", StringComparison.Ordinal));
        Assert.Contains("## [Unreleased]", Document.At("CHANGELOG.md").Lines);
    }

    /// <summary>Options of every command, hidden ones aside.</summary>
    private static IEnumerable<string> ReadFlags()
    {
        var commands = new Stack<System.CommandLine.Command>(
            [Operator.Program.CreateRoot(), Worker.Program.CreateRoot(), Cluster.Fuzz.Program.CreateRoot()]);
        while (commands.TryPop(out var command))
        {
            foreach (var name in command.Options.SelectMany(option => (string[])[option.Name, .. option.Aliases]))
            {
                yield return name;
            }

            foreach (var inner in command.Subcommands.Where(inner => !inner.Hidden))
            {
                commands.Push(inner);
            }
        }
    }

    private static IEnumerable<string> ReadSources(params string[] extensions) =>
        new[] { "common", "docs", "operator", "worker", "tests", "deploy" }.SelectMany(folder => RepositoryFiles.Under(folder, "*"))
            .Where(file => !file.StartsWith(LayoutTests.Documents, StringComparison.Ordinal))
            .Append("Dockerfile.rocm")
            .Where(file => extensions.Contains(Path.GetExtension(file)))
            .Select(RepositoryFiles.Read);

    /// <summary>INVALID_ARGUMENT as C# has it.</summary>
    private static string Pascal(string capitals) => $".{capitals.Replace("_", "", StringComparison.Ordinal)}";

    [GeneratedRegex("^--[a-z][a-z0-9-]*")]
    private static partial Regex Flag();

    [GeneratedRegex("\"((?:vllm[.:]|controller_runtime_|workqueue_|rest_client_|leader_election_)[a-z0-9_]+)")]
    private static partial Regex MetricInSource();

    [GeneratedRegex(@"\b(?:vllm:|controller_runtime_|workqueue_|rest_client_|leader_election_)[a-z0-9_]*")]
    private static partial Regex MetricInText();

    [GeneratedRegex("^[A-Z][A-Z0-9]*_[A-Z0-9_]+$")]
    private static partial Regex Variable();

    [GeneratedRegex(@"^(image|worker|operator|nodeAgent|rbac|admissionPolicies|metrics|dashboards|networkPolicy)(\.[A-Za-z]+)+$")]
    private static partial Regex ChartValue();

    [GeneratedRegex(@"\b[A-Z][a-z]\w+")]
    private static partial Regex Identifier();

    [GeneratedRegex("\"[^\"]*\"")]
    private static partial Regex Literal();

    [GeneratedRegex("//.*")]
    private static partial Regex Comment();

    [GeneratedRegex("<Version>([^<]+)<")]
    private static partial Regex VersionInProps();
}
