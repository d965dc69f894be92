using System.CommandLine;
using System.Text.RegularExpressions;
using Cluster.Worker.Commands.Lines;

namespace Cluster.EndToEnd.Tests.Documents;

/// <summary>What is wrong with a command, as far as that can be told without running it. There is one check for each program that documents
/// may name; a program that is not here fails the test.</summary>
internal static partial class Programs
{
    private static readonly string[] TopFolders = ["common/", "deploy/", "docs/", "operator/", "tests/", "worker/", ".ci/"];

    private static readonly Dictionary<string, Func<Invocation, bool, IEnumerable<string>>> Checks = new(StringComparer.Ordinal)
    {
        ["cluster-operator"] = (one, mention) => Parse(Operator.Program.CreateRoot(), one.Arguments, mention),
        ["cluster-worker"] = (one, mention) => ParseWorker(one.Arguments, mention),
        ["fuzz"] = (one, mention) => Parse(Cluster.Fuzz.Program.CreateRoot(), one.Arguments, mention),
        ["benchmarks"] = (one, _) => CheckBenchmarks(one),
        ["offline"] = (one, _) => one.Arguments is [_] or [_, _] ? [] : ["it takes a model and a number of ranks"],
        ["grpc-client"] = (one, _) => one.Arguments is [_, _] ? [] : ["it takes an address and a prompt"],
        ["dotnet"] = (one, mention) => Dotnet.Check(one, mention),
        ["kubectl"] = (one, mention) => Kubectl.IsPlugin(one)
            ? Parse(Operator.Program.CreateRoot(), one.Arguments, mention).Concat(Kubectl.CheckPlugin(one))
            : Kubectl.Check(one),
        ["helm"] = (one, _) => Helm.Check(one),
        ["grpcurl"] = (one, _) => Grpcurl.Check(one),
        ["docker"] = (one, _) => CheckDocker(one),
        ["curl"] = (one, _) => OnlyOptions(one, "-s", "-sN", "-H", "-d"),
        ["grep"] = (one, _) => OnlyOptions(one),
        ["ln"] = (one, _) => OnlyOptions(one, "-s"),
        ["npm"] = (one, _) => one.Arguments is ["install", "openai" or "@grpc/grpc-js"] ? [] : ["no test installs this"],
        ["stat"] = (one, _) => OnlyOptions(one, "-c"),
        ["export"] = (_, _) => [],
        ["tests/Benchmarks/gpu.sh"] = (one, _) => OnlyOptions(one, "--device", "--model", "--quick", "--goldens", "--pack", "--out"),
        [".ci/run"] = (one, _) => one.Arguments.Count == 0 ? [] : ["it takes no arguments"],
    };

    public static IReadOnlyCollection<string> Known => Checks.Keys;

    public static IEnumerable<string> Problems(DocumentedCommand command)
    {
        foreach (var one in command.Pipeline)
        {
            if (!Checks.TryGetValue(one.Program, out var check))
            {
                yield return $"'{one.Program}' is no program that documents may name";
                continue;
            }

            foreach (var problem in check(one, command.IsMention).Concat(MissingFiles(one)))
            {
                yield return $"{one.Program}: {problem}";
            }
        }
    }

    /// <summary>The worker takes other servers' command lines, too. Files that they name need not be there.</summary>
    private static IEnumerable<string> ParseWorker(IReadOnlyList<string> arguments, bool mention)
    {
        var root = Worker.Program.CreateRoot();
        var line = WorkerLine.Read(root, arguments, new Dictionary<string, string>(), _ => "");
        return line.Errors.Concat(Parse(root, line.Arguments, mention));
    }

    /// <summary>Parses as the program itself does.</summary>
    /// <param name="mention">Required options may be missing.</param>
    private static IEnumerable<string> Parse(RootCommand root, IReadOnlyList<string> arguments, bool mention) =>
        root.Parse([.. arguments.Select(FillIn)]).Errors.Select(error => error.Message)
            .Where(message => !mention || !Missing().IsMatch(message));

    /// <summary>A number in place of <c>N</c>.</summary>
    private static string FillIn(string word) => word == "N" ? "1" : word;

    private static IEnumerable<string> OnlyOptions(Invocation one, params string[] known) =>
        one.Options.Where(option => !known.Contains(option)).Select(option => $"option {option} is not known here");

    /// <summary>What stands behind the image goes to the worker.</summary>
    private static IEnumerable<string> CheckDocker(Invocation one)
    {
        if (one.Arguments is not ["run", ..])
        {
            return OnlyOptions(one, "-f", "-t");
        }

        var image = one.Arguments.ToList().FindIndex(word => word.StartsWith("cluster-worker:", StringComparison.Ordinal));
        return image < 0
            ? ["it runs no image of ours"]
            : OnlyOptions(one with { Arguments = [.. one.Arguments.Take(image)] }, "--device", "--group-add", "--shm-size", "-v", "-p")
                .Concat(ParseWorker([.. one.Arguments.Skip(image + 1)], mention: false));
    }

    /// <summary>Paths that begin with a folder of the repository and are not there.</summary>
    private static IEnumerable<string> MissingFiles(Invocation one) =>
        from word in one.Arguments
        let path = word[(word.IndexOf('=', StringComparison.Ordinal) + 1)..]
        where TopFolders.Any(folder => path.StartsWith(folder, StringComparison.Ordinal))
            && !path.Contains("NAME", StringComparison.Ordinal)
        where !Path.Exists(Path.Combine(RepositoryRoot.Path, path))
        select $"{path} does not exist";

    /// <summary>The benchmarks have no parser to ask: their usage line names what they take.</summary>
    private static IEnumerable<string> CheckBenchmarks(Invocation one)
    {
        var source = File.ReadAllText(Path.Combine(RepositoryRoot.Path, "tests", "Benchmarks", "Program.cs"));
        var usage = Joint().Replace(Usage().Match(source).Groups[1].Value, "");
        var form = usage.Split('|')
            .Select(text => text.Trim()).SingleOrDefault(text => one.Arguments.Count > 0 && text.Split(' ')[0] == one.Arguments[0]);
        return form is null
            ? [$"'{string.Join(' ', one.Arguments)}' is none of: {usage}"]
            : one.Options.Where(option =>
                !form.Contains($"[{option} ", StringComparison.Ordinal)).Select(option => $"{option} is not in: {form}");
    }

    [GeneratedRegex("is required| needs |Required command|Required argument ('[^']+' )?missing")]
    private static partial Regex Missing();

    [GeneratedRegex("""
        "usage: ((?:[^"]|"\s*\+ ")+)"
        """)]
    private static partial Regex Usage();

    /// <summary>Between the pieces of a string that does not fit a line.</summary>
    [GeneratedRegex("""
        "\s*\+ "
        """)]
    private static partial Regex Joint();
}
