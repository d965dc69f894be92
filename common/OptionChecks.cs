using System.CommandLine;
using System.Globalization;

namespace Cluster.Common;

/// <summary>Checks that the options of all commands of operator and worker share. Their errors name the option, the value, and what would
/// be right.</summary>
internal static class OptionChecks
{
    /// <summary>An option that takes one of these words, the first by default.</summary>
    public static Option<string> OneOf(string name, string description, params string[] words)
    {
        var option = new Option<string>(name)
        {
            Description = description,
            DefaultValueFactory = _ => words[0],
            HelpName = string.Join('|', words)
        };
        option.CompletionSources.Add(words);
        option.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && !words.Contains(token.Value))
            {
                result.AddError($"{name} {token.Value}: must be {string.Join(", ", words[..^1])} or {words[^1]}");
            }
        });
        return option;
    }

    /// <summary>Takes whole numbers from <paramref name="least"/> to <paramref name="most"/>.</summary>
    public static T Between<T>(this T option, int least, int most = int.MaxValue)
        where T : Option
    {
        option.Validators.Add(result =>
        {
            if (result.Tokens is [var token]
                && int.TryParse(token.Value, CultureInfo.InvariantCulture, out var value)
                && (value < least || value > most))
            {
                result.AddError($"{option.Name} {value}: must be {(most == int.MaxValue ? $"at least {least}" : $"{least} to {most}")}");
            }
        });
        return option;
    }

    /// <summary>Takes numbers that pass a test, none of which are infinite or not a number.</summary>
    /// <param name="expected">What would be right, after "must be".</param>
    public static T Only<T>(this T option, Func<double, bool> accepts, string expected)
        where T : Option
    {
        option.Validators.Add(result =>
        {
            if (result.Tokens is [var token]
                && double.TryParse(token.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
                && !(double.IsFinite(value) && accepts(value)))
            {
                result.AddError($"{option.Name} {token.Value}: must be {expected}");
            }
        });
        return option;
    }
}
