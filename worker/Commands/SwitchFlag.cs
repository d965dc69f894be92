using System.CommandLine;

namespace Cluster.Worker.Commands;

/// <summary>Something that is on unless it is turned off, in the two ways that vLLM has for it: <c>--enable-x</c> and <c>--no-enable-x</c>.
/// Part of <see cref="EngineFlags"/>.</summary>
internal sealed class SwitchFlag(WorkerFlag flag)
{
    public Option<bool> On { get; } = new(flag.Name)
    {
        Description = $"{flag.Help} [default: true]",
        DefaultValueFactory = _ => true,
        HelpName = "true|false"
    };

    public Option<bool> Off { get; } = new($"--no-{flag.Name[2..]}") { Description = $"The same as {flag.Name} false." };

    /// <summary>Both at once are an error.</summary>
    public void AddChecks(Command command) => command.Validators.Add(result =>
    {
        if (result.GetResult(On) is { Implicit: false } && result.GetResult(Off) is { Implicit: false })
        {
            result.AddError($"{On.Name} and {Off.Name} cannot be used together");
        }
    });

    public bool IsOn(ParseResult arguments) => arguments.GetValue(On) && !arguments.GetValue(Off);
}
