namespace Cluster.Worker.Commands.Lines;

/// <summary>Cuts arguments into options with their values. Which words are values is known from the option before them, so that no value is
/// ever taken for an option. Called by <see cref="WorkerLine"/> and <see cref="ConfigFile"/>.</summary>
internal static class ArgumentReader
{
    private const string End = "--";

    public static IReadOnlyList<GivenOption> Read(OptionNames names, IReadOnlyList<string> arguments)
    {
        var given = new List<GivenOption>();
        for (var i = 0; i < arguments.Count; i++)
        {
            var word = arguments[i];
            if (word == End)
            {
                given.AddRange(arguments.Skip(i).Select(GivenOption.Word));
                break;
            }

            var parts = word.Split('=', 2);
            if (!LooksLikeOption(word) || names.Find(parts[0]) is not { } found)
            {
                given.Add(GivenOption.Word(word));
                continue;
            }

            if (parts.Length > 1)
            {
                given.Add(found with { Values = [parts[1]], IsInline = true });
                continue;
            }

            var count = CountValues(names, found, arguments, i + 1);
            given.Add(found with { Values = [.. arguments.Skip(i + 1).Take(count)] });
            i += count;
        }

        return given;
    }

    /// <summary>Negative numbers are values, whatever stands before them.</summary>
    private static bool LooksLikeOption(string word) => word.Length > 1 && word[0] == '-' && !char.IsAsciiDigit(word[1]) && word[1] != '.';

    private static int CountValues(OptionNames names, GivenOption option, IReadOnlyList<string> arguments, int next)
    {
        var (isSwitch, most, isList) = option switch
        {
            { Option: { } own } =>
                (OptionNames.IsSwitch(own), own.Arity.MaximumNumberOfValues, own.AllowMultipleArgumentsPerToken),
            { Foreign: { } other } =>
                (other.Takes is ForeignValue.Switch, other.Takes is ForeignValue.None ? 0 : 1, other.Takes is ForeignValue.List),
            _ => (false, 0, false),
        };
        if (isSwitch)
        {
            return next < arguments.Count && bool.TryParse(arguments[next], out _) ? 1 : 0;
        }

        if (isList)
        {
            return arguments.Skip(next).TakeWhile(word => !LooksLikeOption(word)).Count();
        }

        return most > 0 && next < arguments.Count && arguments[next] != End && !names.IsOption(arguments[next]) ? 1 : 0;
    }
}
