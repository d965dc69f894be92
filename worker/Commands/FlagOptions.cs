using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Cluster.Worker.Commands;

/// <summary>Rows of <see cref="WorkerFlags"/>, the table that the operator shares, as options of the command line: name, help, default,
/// words and range are the table's.</summary>
internal static class FlagOptions
{
    /// <summary>An option that takes one of the row's words, the first by default.</summary>
    public static Option<string> Words(this WorkerFlag flag) => OptionChecks.OneOf(flag.Name, flag.Help, [.. flag.Words]);

    public static Option<int> Integer(this WorkerFlag flag) => flag.Create<int>().WithDefault(flag).InRangeOf(flag);

    /// <summary>An integer whose default depends on the model.</summary>
    public static Option<int?> OptionalInteger(this WorkerFlag flag) => flag.Create<int?>().InRangeOf(flag);

    /// <summary>A number of tokens, which may have a suffix (<see cref="TokenCount"/>).</summary>
    public static Option<int> Tokens(this WorkerFlag flag)
    {
        var option = flag.Create<int>().WithDefault(flag);
        option.CustomParser = result => CountOf(flag, result) ?? 0;
        return option;
    }

    /// <summary>The same where the default depends on the model.</summary>
    public static Option<int?> OptionalTokens(this WorkerFlag flag)
    {
        var option = flag.Create<int?>();
        option.CustomParser = result => CountOf(flag, result);
        return option;
    }

    public static Option<double> Number(this WorkerFlag flag) => flag.Create<double>().WithDefault(flag).InRangeOf(flag);

    public static Option<string> Text(this WorkerFlag flag) => flag.Create<string>().WithDefault(flag);

    public static Option<string?> OptionalText(this WorkerFlag flag) => flag.Create<string?>();

    /// <summary>An option that may be given several times or with several values.</summary>
    public static Option<string[]> Texts(this WorkerFlag flag)
    {
        var option = flag.Create<string[]>();
        option.AllowMultipleArgumentsPerToken = true;
        return option;
    }

    private static Option<T> Create<T>(this WorkerFlag flag) =>
        new(flag.Name, flag.Alias is { } alias ? [alias] : []) { Description = flag.Help, HelpName = flag.ValueName };

    private static Option<T> WithDefault<T>(this Option<T> option, WorkerFlag flag)
    {
        if (flag.Default is T value)
        {
            option.DefaultValueFactory = _ => value;
        }

        return option;
    }

    private static Option<T> InRangeOf<T>(this Option<T> option, WorkerFlag flag)
    {
        option.Validators.Add(result =>
        {
            // What is no number at all is the parser's to tell.
            if (result.Tokens is [var token] && IsNumber(token.Value, flag.Value, out var number) && !flag.IsInRange(number))
            {
                result.AddError($"{flag.Name} {token.Value}: must be {flag.Expected}");
            }
        });
        return option;
    }

    private static int? CountOf(WorkerFlag flag, ArgumentResult result)
    {
        var text = result.Tokens is [var token] ? token.Value : "";
        var count = TokenCount.Parse(text);
        if (count is null)
        {
            result.AddError($"{flag.Name} {text}: expected {TokenCount.Expected}");
        }
        else if (!flag.IsInRange(count.Value))
        {
            result.AddError($"{flag.Name} {text}: must be {flag.Expected}");
        }

        return count;
    }

    private static bool IsNumber(string text, FlagValue kind, out double number) =>
        double.TryParse(
            text, kind is FlagValue.Integer ? NumberStyles.AllowLeadingSign : NumberStyles.Float, CultureInfo.InvariantCulture, out number);
}
