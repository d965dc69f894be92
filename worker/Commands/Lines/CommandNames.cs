using System.CommandLine;

namespace Cluster.Worker.Commands.Lines;

/// <summary>What other servers call our commands. Part of <see cref="WorkerLine"/>.</summary>
internal static class CommandNames
{
    /// <summary>Names of TGI's program, whose variables are options, too.</summary>
    public static readonly string[] Launchers = ["launch", "text-generation-launcher"];

    private const string Script = ".py";

    private static readonly Dictionary<string, string[]> Others = new(StringComparer.Ordinal)
    {
        ["launch"] = ["serve"],
        ["text-generation-launcher"] = ["serve"],
        ["api-server"] = ["serve"],
        ["vllm.entrypoints.api-server"] = ["serve"],
        ["vllm.entrypoints.openai.api-server"] = ["serve"],
        ["vllm.entrypoints.openai.run-batch"] = ["run-batch"],
        ["benchmark-latency"] = ["bench", "latency"],
        ["benchmark-throughput"] = ["bench", "throughput"],
        ["benchmark-serving"] = ["bench", "serve"],
    };

    private static readonly Dictionary<string, string> Refused = new(StringComparer.Ordinal)
    {
        ["chat"] = "there is no chat client: generate --chat --prompt TEXT asks once, and any client of OpenAI's API talks to serve",
        ["complete"] = "there is no completion client: generate --prompt TEXT asks once, and any client of OpenAI's API talks to serve",
        ["download-weights"] = "serve downloads what it needs before it loads; nothing has to be fetched first",
        ["quantize"] = "checkpoints are served as they are: use one that is quantized with GPTQ, AWQ or FP8",
    };

    /// <returns>The command, its own names from the root on, and how many arguments named it.</returns>
    public static (Command Command, IReadOnlyList<string> Path, int Count) Resolve(RootCommand root, IReadOnlyList<string> arguments)
    {
        var command = (Command)root;
        var path = new List<string>();
        var count = 0;
        while (count < arguments.Count)
        {
            var names = command == root && Others.TryGetValue(Spell(arguments[count]), out var other) ? other : [arguments[count]];
            if (Find(command, names) is not { } inner)
            {
                break;
            }

            path.AddRange(names.Length > 1 ? names : [inner.Name]);
            command = inner;
            count++;
        }

        return (command, path, count);
    }

    /// <returns>Why there is no such command, with what to use instead; null where the parser tells it as well.</returns>
    public static string? WhyNot(RootCommand root, Command command, IReadOnlyList<string> arguments, int count) =>
        command == root && count < arguments.Count && Refused.TryGetValue(Spell(arguments[count]), out var reason)
            ? $"{arguments[count]}: {reason}"
            : null;

    private static Command? Find(Command command, IEnumerable<string> names)
    {
        var found = command;
        foreach (var name in names)
        {
            var spelled = Spell(name);
            found = found?.Subcommands.FirstOrDefault(inner => inner.Name == spelled || inner.Aliases.Contains(spelled));
        }

        return found;
    }

    /// <summary>The name of a script is that of the file without its folder.</summary>
    private static string Spell(string name)
    {
        var file = name.EndsWith(Script, StringComparison.Ordinal) ? Path.GetFileNameWithoutExtension(name) : name;
        return file.StartsWith('-') ? file : file.Replace('_', '-');
    }
}
