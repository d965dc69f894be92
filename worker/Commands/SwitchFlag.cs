using System.CommandLine;

namespace Cluster.Worker.Commands;

/// <summary>Something that is on unless it is turned off, in the two ways vLLM has for it: <c>--enable-x</c> and <c>--no-enable-x</c>. Part of
/// <see cref="EngineFlags"/>.</summary>
internal sealed class SwitchFlag(string name, string description)
{
    public Option<bool> On { get; } = new($"--enable-{name}") { Description = $"{description} [default: true]", DefaultValueFactory = _ => true, HelpName = "true|false" };

    public Option<bool> Off { get; } = new($"--no-enable-{name}") { Description = $"The same as --enable-{name} false." };

    /// <summary>Both at once are an error.</summary>
    public void AddChecks(Command command) => command.Validators.Add(result =>
    {
        if (result.GetResult(On) is { Implicit: false } && result.GetResult(Off) is { Implicit: false })
        {
            result.AddError($"{On.Name} and {Off.Name} exclude each other");
        }
    });

    public bool IsOn(ParseResult arguments) => arguments.GetValue(On) && !arguments.GetValue(Off);
}
