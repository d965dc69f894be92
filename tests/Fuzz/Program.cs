using System.CommandLine;
using Cluster.Common;
using Cluster.Fuzz.Running;

namespace Cluster.Fuzz;

internal static class Program
{
    /// <summary>For the process that <see cref="Supervisor"/> starts, not for people.</summary>
    internal const string SessionOption = "--session";

    private const string Help =
        "Runs damaged inputs at everything that reads what others wrote: requests, files of checkpoints, manifests, patches.\n\n"
        + "An input may be accepted or refused. A failure is any other exception, a 5xx, the end of the process, a hang, more memory or "
        + "time than one input may take, or a property that does not hold, such as text that is not itself after encoding and "
        + "decoding. A failing input is made smaller, saved, and printed with the command that runs it again. Mended, it belongs into "
        + "tests/fixtures/fuzz/TARGET, where `dotnet test` replays it.\n\n"
        + "Inputs are made from the target's seeds by mutators that know its form; those that do something new are kept and mutated "
        + "further. New is a branch that none took before (the assemblies are instrumented by SharpFuzz; no AFL, no libFuzzer), or with "
        + "--coverage false a refusal that was not seen. The same seed makes the same inputs.\n\n"
        + "Exit code: 0; 1 when something failed; 2 when the command line is wrong.\n\n"
        + "Examples:\n"
        + "  dotnet run --project tests/Fuzz -c Release -- --minutes 10\n"
        + "  dotnet run --project tests/Fuzz -c Release -- --minutes 60 --target yaml --corpus ~/fuzz-corpus\n"
        + "  dotnet run --project tests/Fuzz -c Release -- --inputs 2000 --seed 1 --coverage false";

    public static Task<int> Main(string[] arguments) => arguments is [SessionOption, var folder]
        ? Task.FromResult(InputProcess.Run(folder))
        : CommandRunner.RunAsync(CreateRoot(), arguments, "fuzz", _ => false);

    /// <summary>The command with its options. Tests of the documents parse with it, too.</summary>
    internal static RootCommand CreateRoot()
    {
        Option<double?> minutes = new("--minutes") { Description = "How long to run, all targets together. Default: 5.", HelpName = "N" };
        Option<long?> inputs = new("--inputs")
        {
            Description = "Run so many inputs of each target in place of a time; fewer of those that cost more.",
            HelpName = "N",
        };
        Option<string[]> targets = new("--target")
        {
            Description = $"Only this one; may be repeated. There are: {string.Join(", ", TargetList.Names)}.",
            HelpName = "NAME",
            AllowMultipleArgumentsPerToken = true,
        };
        targets.AcceptOnlyFromAmong([.. TargetList.Names]);
        Option<int> seed = new("--seed")
        {
            Description = "Of the random numbers. Default: 1.",
            HelpName = "S",
            DefaultValueFactory = _ => 1,
        };
        Option<bool> coverage = new("--coverage")
        {
            Description = "Keep inputs that take new branches, not those that are refused for a new reason. Default: true.",
            DefaultValueFactory = _ => true,
        };
        Option<string> findings = new("--findings")
        {
            Description = "Where failing inputs are saved. Default: fuzz-findings.",
            HelpName = "FOLDER",
            DefaultValueFactory = _ => "fuzz-findings",
        };
        Option<string?> corpus = new("--corpus")
        {
            Description = "Where kept inputs are read from and written to, so that a run goes on where the last one ended.",
            HelpName = "FOLDER",
        };
        Option<FileInfo> replay = new("--replay")
        {
            Description = "Run this one input of the --target and say how it ended.",
            HelpName = "FILE",
        };
        replay.AcceptExistingOnly();
        RootCommand root = new(Help) { minutes, inputs, targets, seed, coverage, findings, corpus, replay };
        root.SetAction(result =>
        {
            var names = result.GetValue(targets) is { Length: > 0 } given ? given : TargetList.Names;
            return result.GetValue(replay) is { } file
                ? Replay(names, file.FullName)
                : Run(new RunOptions(
                    names, result.GetValue(seed), result.GetValue(inputs), (result.GetValue(minutes) ?? 5) * 60 / names.Count,
                    result.GetValue(coverage), Path.GetFullPath(result.GetValue(findings)!),
                    result.GetValue(corpus) is { } folder ? Path.GetFullPath(folder) : null));
        });
        return root;
    }

    private static int Run(RunOptions options)
    {
        var reports = new Supervisor(options, Console.Error).Run();
        ReportTable.Write(Console.Out, reports);
        return reports.Any(report => report.Findings.Count > 0) ? 1 : 0;
    }

    /// <exception cref="CommandFailure">It is not said which target is meant.</exception>
    private static int Replay(IReadOnlyList<string> names, string file)
    {
        using var target = TargetList.Create(names is [var name] ? name : throw new CommandFailure("--replay needs one --target"));
        var judgement = SmallStack.Run(() => Judge.Run(target, File.ReadAllBytes(file)));
        Console.WriteLine(judgement.Failure?.Detail ?? judgement.Verdict?.Refusal ?? "accepted");
        Console.WriteLine($"{judgement.Elapsed.TotalMilliseconds:F0} ms, {judgement.AllocatedBytes >> 10} KiB allocated");
        return judgement.Failure is null ? 0 : 1;
    }
}
