using System.CommandLine;

namespace Cluster.Worker.Commands.Lines;

/// <summary>Lays the options of several sources over each other and translates those of other servers. Part of
/// <see cref="WorkerLine"/>.</summary>
/// <param name="variables">The environment, for options that mean what another program finds on the machine.</param>
internal sealed class LineBuilder(OptionNames names, IReadOnlyDictionary<string, string> variables)
{
    public const string Config = "--config";
    public const string Model = "--model";

    /// <summary>The latest of each option, in the order in which they were given; words have themselves as keys.</summary>
    private readonly List<(object Key, string[] Tokens)> _items = [];
    private readonly List<GivenOption> _late = [];

    public IReadOnlyList<string> Arguments => [.. _items.SelectMany(item => item.Tokens)];

    public List<string> Notes { get; } = [];

    public List<string> Errors { get; } = [];

    /// <summary>Adds a source whose options count before those of the sources added so far.</summary>
    public void Add(IReadOnlyList<GivenOption> source)
    {
        string? model = null;
        string? positional = null;
        foreach (var given in source)
        {
            switch (given)
            {
                case { Error: { } error }:
                    Errors.Add(error);
                    break;
                case { Option: { Name: Config } }:
                    break;
                case { Option: { } option }:
                    model = option.Name == Model ? given.Values.FirstOrDefault() : model;
                    Set(option, given);
                    break;
                case { Foreign: { IsLate: true } }:
                    _late.Add(given);
                    break;
                case { Foreign: { } flag }:
                    Translate(flag, given);
                    break;
                case { IsWord: true } when names.TakesModel && positional is null && !given.Spelling.StartsWith('-'):
                    positional = given.Spelling;
                    break;
                case { IsWord: true } when names.TakesModel && !given.Spelling.StartsWith('-'):
                    Errors.Add($"Unrecognized command or argument '{given.Spelling}': {names.Path} takes one model.");
                    break;
                default:
                    _items.Add((new object(), [given.Spelling]));
                    break;
            }
        }

        if (positional is null)
        {
            return;
        }

        // Two models in one source are a mistake, which "the last one counts" would hide.
        if (model is not null && model != positional)
        {
            Errors.Add($"two models are given, '{positional}' and {Model} '{model}'; leave one out");
        }

        Set(names.Own(Model)!, [Model, positional]);
    }

    /// <summary>Translates what depends on the rest of the line, and says which variables have no effect.</summary>
    public void Finish()
    {
        foreach (var given in _late)
        {
            Translate(given.Foreign!, given);
        }

        if (names.Own(WorkerFlags.TensorParallelSize.Name) is not null && InertVariables.Note(variables) is { } note)
        {
            Notes.Add(note);
        }
    }

    private void Set(Option option, GivenOption given)
    {
        if (OptionNames.IsSwitch(option))
        {
            var value = given.Values is [var text] ? text : "true";
            Set(option, [$"{option.Name}={(given.IsNegated && bool.TryParse(value, out var on) ? Text(!on) : value)}"]);
            return;
        }

        Set(option, given.IsInline ? [$"{option.Name}={given.Values[0]}"] : [option.Name, .. given.Values]);

        static string Text(bool value) => value ? "true" : "false";
    }

    private void Set(Option option, string[] tokens)
    {
        _items.RemoveAll(item => item.Key == (object)option);
        _items.Add((option, tokens));
    }

    private void Translate(ForeignFlag flag, GivenOption given)
    {
        var answer = flag.Read(new ForeignUse(given.Spelling, given.Values, variables, IsGiven));
        if (answer.Error is { } error)
        {
            Errors.Add($"{Spell(given)}: {error}");
        }

        if (answer.Note is { } note && $"{Spell(given)} has no effect: {note}" is var text && !Notes.Contains(text))
        {
            Notes.Add(text);
        }

        foreach (var (name, value) in answer.Options)
        {
            if (names.Own(name) is { } option)
            {
                Set(option, new GivenOption(name, [value]) { IsInline = true });
            }
            else
            {
                Errors.Add($"{given.Spelling} means {name}, which {names.Path} does not have");
            }
        }
    }

    private bool IsGiven(string name) => _items.Exists(item => item.Key is Option option && option.Name == name);

    private static string Spell(GivenOption given) =>
        given.Values.Count == 0 ? given.Spelling : $"{given.Spelling}{(given.IsInline ? '=' : ' ')}{string.Join(' ', given.Values)}";
}
