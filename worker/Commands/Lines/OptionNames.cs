using System.CommandLine;

namespace Cluster.Worker.Commands.Lines;

/// <summary>Every spelling of an option that a command takes: its own options with their aliases, <c>--no-…</c> of each switch, and those
/// of other servers. Options added to a command are known here without more. Asked by <see cref="ArgumentReader"/>.</summary>
internal sealed class OptionNames
{
    private readonly Dictionary<string, GivenOption> _names = new(StringComparer.Ordinal);

    /// <param name="path">The command's names from the root on.</param>
    public OptionNames(RootCommand root, Command command, IReadOnlyList<string> path)
    {
        Command = command;
        Path = string.Join(' ', path);
        Option[] options = [.. command.Options, .. root.Options.Where(option => option.Recursive)];
        foreach (var option in options)
        {
            foreach (var name in option.Aliases.Prepend(option.Name))
            {
                _names.TryAdd(name, new GivenOption(name, []) { Option = option });
            }
        }

        // In place of an option of that name, so that the last of both counts.
        foreach (var option in options.Where(IsSwitch))
        {
            var name = $"--no-{option.Name[2..]}";
            _names[name] = new GivenOption(name, []) { Option = option, IsNegated = true };
        }

        foreach (var flag in ForeignFlags.Of(Path))
        {
            foreach (var name in flag.Names)
            {
                _names.TryAdd(name, new GivenOption(name, []) { Foreign = flag });
            }
        }
    }

    public Command Command { get; }

    /// <summary>The command, as one types it.</summary>
    public string Path { get; }

    /// <summary>Whether an argument may stand for <c>--model</c>.</summary>
    public bool TakesModel => Command.Arguments.Count > 0 && Own(LineBuilder.Model) is not null;

    /// <summary>Whether an option's value is true or false, and may be left out.</summary>
    public static bool IsSwitch(Option option) =>
        option.ValueType == typeof(bool)
        && option.Arity.MaximumNumberOfValues > 0
        && option.Name.StartsWith("--", StringComparison.Ordinal);

    /// <summary>An option of this command by its own name; null where it has none such.</summary>
    public Option? Own(string name) => _names.TryGetValue(name, out var found) && !found.IsNegated ? found.Option : null;

    /// <summary>Whether a word is an option as it stands. Other spellings are none where a value is expected.</summary>
    public bool IsOption(string word) => _names.ContainsKey(word.Split('=', 2)[0]);

    /// <summary>Finds an option by a spelling: exact, with underscores, or the beginning of only one.</summary>
    /// <param name="name">With its dashes and without a value.</param>
    /// <returns>The option without values; one with an error where several begin so; null where none does.</returns>
    public GivenOption? Find(string name)
    {
        var dashed = name.StartsWith("--", StringComparison.Ordinal) ? name.Replace('_', '-') : name;
        if (_names.TryGetValue(name, out var exact) || _names.TryGetValue(dashed, out exact))
        {
            return exact with { Spelling = name };
        }

        if (!dashed.StartsWith("--", StringComparison.Ordinal))
        {
            return null;
        }

        var longer = _names.Where(one => one.Key.StartsWith(dashed, StringComparison.Ordinal)).ToList();

        // Several spellings of one option are one choice.
        var choices = longer.DistinctBy(one => (one.Value.Option, one.Value.Foreign, one.Value.IsNegated)).ToList();
        return choices.Count switch
        {
            0 => null,
            1 => choices[0].Value with { Spelling = name },
            _ => new GivenOption(name, [])
            {
                Error = $"{name} is the beginning of {string.Join(", ", choices.Select(one => one.Key).Order(StringComparer.Ordinal))}; "
                    + "write out the one that is meant",
            },
        };
    }
}
