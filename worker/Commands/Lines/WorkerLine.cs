using System.CommandLine;

namespace Cluster.Worker.Commands.Lines;

/// <summary>A command line as vLLM's users type it, made into one that the parser takes: other names of commands and options, underscores
/// for dashes, unique prefixes, the last of a repeated option, a configuration file, variables. Read once by <c>Program</c>, before the
/// parser. Values are never changed, and nothing behind <c>--</c> is.</summary>
/// <param name="Arguments">For the parser.</param>
/// <param name="Notes">One line for each thing that was accepted and changes nothing.</param>
/// <param name="Errors">What is wrong that the parser would not find, or would word without what to use instead.</param>
/// <param name="Path">The command, as one types it; empty where there is none.</param>
internal sealed record WorkerLine(
    IReadOnlyList<string> Arguments, IReadOnlyList<string> Notes, IReadOnlyList<string> Errors, string Path)
{
    /// <summary>With the environment and the files of this process.</summary>
    public static WorkerLine Read(RootCommand root, IReadOnlyList<string> arguments) =>
        Read(root, arguments, ProcessVariables.Read(), File.ReadAllText);

    /// <summary>
    /// Sources are laid one over the other, each option of the later one in place of the earlier one's:
    /// <list type="number">
    /// <item>variables of the environment that stand for an option;</item>
    /// <item>the configuration file;</item>
    /// <item>the command line.</item>
    /// </list>
    /// </summary>
    /// <param name="variables">The environment.</param>
    /// <param name="readFile">Reads the file of <c>--config</c>.</param>
    public static WorkerLine Read(
        RootCommand root, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string> variables, Func<string, string> readFile)
    {
        var (command, path, count) = CommandNames.Resolve(root, arguments);
        if (CommandNames.WhyNot(root, command, arguments, count) is { } reason)
        {
            return new WorkerLine([], [], [reason], "");
        }

        var names = new OptionNames(root, command, path);
        var given = ArgumentReader.Read(names, [.. arguments.Skip(count)]);
        var line = new LineBuilder(names, variables);
        line.Add(EnvironmentOptions.For(names, arguments.Take(count), variables));
        line.Add(ConfigFile.Read(names, given, readFile, line.Errors));
        line.Add(given);
        line.Finish();
        return new WorkerLine([.. path, .. line.Arguments], line.Notes, line.Errors, string.Join(' ', path));
    }
}
