using System.Text.RegularExpressions;

namespace Cluster.EndToEnd.Tests.Documents;

/// <summary>The SDK's commands. They build or test everything, so <c>.ci/run</c> runs them and not a test: here it is only checked that
/// what they name is there.</summary>
internal static partial class Dotnet
{
    private static readonly string[] Properties = ["ContainerRegistry", "ContainerArchiveOutputPath"];

    private static readonly Lazy<HashSet<string>> TestClasses = new(() =>
        [.. Directory.EnumerateFiles(Path.Combine(RepositoryRoot.Path, "tests"), "*Tests.cs", SearchOption.AllDirectories)
            .Select(file => Path.GetFileNameWithoutExtension(file)!)]);

    public static IEnumerable<string> Check(Invocation one, bool mention)
    {
        var arguments = new Queue<string>(one.Arguments);
        var verb = arguments.Dequeue();
        switch (verb)
        {
            case "build" or "test" or "publish" or "format" or "pack":
                if (arguments.Count > 0 && !IsProject(arguments.Dequeue()))
                {
                    yield return $"{one.Arguments[1]} is no project and no solution";
                }

                break;
            case "run" when mention && one.Arguments[^1] == "--":
                yield break;
            case "run" when one.Arguments is [_, "--project", var project, "-c", "Release", "--", "-class", var name]
                && project.EndsWith(".Tests", StringComparison.Ordinal):
                if (!TestClasses.Value.Contains(name.Split('.')[^1]))
                {
                    yield return $"-class {name}: there is no such class of tests";
                }

                yield break;
            default:
                yield return $"dotnet {string.Join(' ', one.Arguments)} is not known here";
                yield break;
        }

        while (arguments.TryDequeue(out var option))
        {
            switch (option)
            {
                case "-c" when arguments.TryDequeue(out var configuration) && configuration is "Release" or "Debug":
                case "-o" when verb == "pack" && arguments.TryDequeue(out _):
                case "-t:PublishContainer" when verb == "publish":
                case "--verify-no-changes" when verb == "format":
                case ['-', 'p', ':', ..] when Properties.Contains(option[3..].Split('=')[0]):
                    break;
                case "--filter" when verb == "test" && arguments.TryDequeue(out var filter):
                    if (!TestClasses.Value.Contains(filter))
                    {
                        yield return $"--filter {filter}: there is no such class of tests";
                    }

                    break;
                default:
                    yield return $"{option} is not known here";
                    break;
            }
        }
    }

    private static bool IsProject(string path)
    {
        var full = Path.Combine(RepositoryRoot.Path, path);
        return Projects().IsMatch(path) ? File.Exists(full) : Directory.Exists(full) && Directory.EnumerateFiles(full, "*.csproj").Any();
    }

    [GeneratedRegex(@"\.(sln|csproj)$")]
    private static partial Regex Projects();
}
