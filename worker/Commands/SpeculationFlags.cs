using System.CommandLine;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Commands;

/// <summary>The options of speculative decoding, with vLLM's names. Part of <see cref="EngineFlags"/>; read by
/// <see cref="StartupArguments"/>.</summary>
internal sealed class SpeculationFlags
{
    public Option<string?> Model { get; } = WorkerFlags.SpeculativeModel.OptionalText();

    public Option<int?> NumTokens { get; } = WorkerFlags.NumSpeculativeTokens.OptionalInteger();

    public Option<int?> NgramMax { get; } = Bounded(
        "--ngram-prompt-lookup-max", "Longest ending of the text that [ngram] looks up. Default: 4.", 64);

    public Option<int?> NgramMin { get; } = Bounded(
        "--ngram-prompt-lookup-min", "Shortest ending of the text that [ngram] looks up. Default: 1.", 64);

    /// <summary>Adds the options to a command; the values that need each other are checked here.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[Model, NumTokens, NgramMax, NgramMin])
        {
            command.Options.Add(option);
        }

        command.Validators.Add(result =>
        {
            var model = result.GetResult(Model)?.Tokens is [var token] ? token.Value : null;
            if (model is null != result.GetResult(NumTokens) is null)
            {
                result.AddError(
                    model is null
                        ? "--num-speculative-tokens needs --speculative-model"
                        : $"--speculative-model {model} needs --num-speculative-tokens");
            }

            if (model != DraftOptions.Ngram && (result.GetResult(NgramMax) ?? result.GetResult(NgramMin)) is not null)
            {
                result.AddError($"--ngram-prompt-lookup-max and -min need --speculative-model {DraftOptions.Ngram}");
            }
        });
    }

    private static Option<int?> Bounded(string name, string description, int most) =>
        new Option<int?>(name) { Description = description, HelpName = "N" }.Between(1, most);
}
