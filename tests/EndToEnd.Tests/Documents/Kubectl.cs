using System.Text.RegularExpressions;
using Cluster.EndToEnd.Tests.Support;

namespace Cluster.EndToEnd.Tests.Documents;

/// <summary>kubectl as documents use it: names of deployments are those of the samples, and what can be tried is tried against local
/// mode.</summary>
internal static partial class Kubectl
{
    private const string Deployment = "mdep";

    /// <summary>What runs in the fixture's cluster: stands for the deployment of any sample.</summary>
    private const string Running = "haiku";

    private static readonly string[] Reading = ["get", "describe", "explain", "logs"];
    private static readonly string[] Writing = ["apply", "create", "scale", "delete", "label"];
    private static readonly string[] Waiting = ["wait", "rollout"];
    private static readonly string[] Talking = ["exec", "cp", "attach", "port-forward"];

    /// <summary>Takes away what only a worker on a broken GPU has brought about.</summary>
    private static readonly string[] Clearing = ["annotate"];

    private static readonly string[] Untried = [.. Waiting, .. Talking, .. Clearing];
    private static readonly string[] Verbs = [.. Reading, .. Writing, .. Untried];

    /// <summary>Names of the ModelDeployments in deploy/samples.</summary>
    public static IReadOnlyList<string> Samples { get; } =
    [
        .. Directory.EnumerateFiles(Path.Combine(RepositoryRoot.Path, "deploy", "samples"), "*.yaml")
            .SelectMany(file => NameOfDeployment().Matches(File.ReadAllText(file))).Select(match => match.Groups[1].Value),
    ];

    /// <summary>Whether it is a command of ours: <c>kubectl mdep …</c>.</summary>
    public static bool IsPlugin(Invocation one) => one.Arguments is [Deployment, ..];

    /// <summary>What is wrong with a command of the plugin beside its options.</summary>
    public static IEnumerable<string> CheckPlugin(Invocation one) =>
        one.Arguments is [_, _, var name, ..] && !name.StartsWith('-') && !Samples.Contains(name)
            ? [$"no sample has a ModelDeployment called {name}; there are {string.Join(' ', Samples.Order())}"]
            : [];

    public static IEnumerable<string> Check(Invocation one)
    {
        if (one.Arguments.Count == 0 || !VerbsOf(one).Any())
        {
            yield return $"no verb among: {string.Join(' ', one.Arguments)}";
        }

        if (Named(one) is { } name && !Samples.Contains(name))
        {
            yield return $"no sample has a ModelDeployment called {name}; there are {string.Join(' ', Samples.Order())}";
        }
    }

    /// <summary>Options that kubectl's own help does not know.</summary>
    public static async Task<IReadOnlyList<string>> UnknownOptionsAsync(Invocation one)
    {
        if (IsPlugin(one))
        {
            return []; // Its own parser has read it.
        }

        var program = await NodePackages.KubectlAsync();
        string[] verb = VerbsOf(one).First() switch
        {
            "create" => ["create", .. one.Arguments.Skip(1).Take(2)],
            "rollout" => ["rollout", "status"],
            var simple => [simple],
        };
        var help = await CommandLine.RunAsync(program, [.. verb, "--help"]);
        var general = await CommandLine.RunAsync(program, ["options"]);
        var known = help.Output + general.Output;
        return [.. one.Options.Where(option => !IsKnown(option))];

        bool IsKnown(string option) =>
            known.Contains($"{option}=", StringComparison.Ordinal) || known.Contains($"{option},", StringComparison.Ordinal);
    }

    /// <summary>The arguments that try it in local mode, without changing anything there; null where local mode has nothing to try it
    /// on.</summary>
    public static string[]? Trial(Invocation one)
    {
        // The operator's own namespace is not in local mode: there the operator is a process.
        if (one.Arguments.Contains("cluster-system") || one.Arguments.Contains("VALUE"))
        {
            return null;
        }

        // What would not end, and what reads a manifest that is not in the command.
        if (one.Arguments.Contains("--watch") || one.Arguments is [.., "-f", "-"] || VerbsOf(one).Any(Untried.Contains))
        {
            return null;
        }

        // A command of the plugin may be called as a sample is.
        string[] arguments =
        [
            .. one.Arguments.Select((word, place) => Samples.Contains(word) && !(IsPlugin(one) && place == 1) ? Running : word),
        ];
        if (IsPlugin(one))
        {
            // An address is nobody's here, a conversation needs a person, and what follows does not end.
            return one.Arguments.Any(word => word is "--address" or "-f" or "--follow" or "--previous") || Talks(one) ? null : arguments;
        }

        return Writing.Contains(one.Arguments[0]) ? [.. arguments, "--dry-run=server"] : arguments;
    }

    private static bool Talks(Invocation one) => one.Arguments is [_, "chat", ..] && !one.Arguments.Contains("--once");

    /// <summary>The name behind <c>mdep</c>.</summary>
    private static string? Named(Invocation one)
    {
        var words = one.Arguments.Where(word => !word.StartsWith('-')).ToList();
        var place = words.IndexOf(Deployment);
        return place >= 0 && place + 1 < words.Count && !IsValueOfOption(one, words[place + 1]) ? words[place + 1] : null;
    }

    private static bool IsValueOfOption(Invocation one, string word)
    {
        var place = one.Arguments.ToList().IndexOf(word);
        return place > 0 && one.Arguments[place - 1] is "-o" or "-n" or "-l" or "-f";
    }

    private static IEnumerable<string> VerbsOf(Invocation one) =>
        one.Arguments.Where(Verbs.Contains);

    [GeneratedRegex(@"^kind: ModelDeployment\nmetadata:\n  name: (\S+)$", RegexOptions.Multiline)]
    private static partial Regex NameOfDeployment();
}
