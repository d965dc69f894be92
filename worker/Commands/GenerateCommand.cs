using System.CommandLine;
using System.Text.Json.Nodes;
using Cluster.Worker.Engine;
using Cluster.Worker.Startup;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Commands;

/// <summary><c>generate</c>: one prompt, the answer on standard output as it comes, figures on standard error.</summary>
internal static class GenerateCommand
{
    public static Command Create()
    {
        var flags = new EngineFlags();
        var prompt = new Option<string>("--prompt")
        {
            Description = "Text to continue, or the user's message with --chat; - reads standard input.",
            Required = true,
            HelpName = "TEXT"
        };
        var chat = new Option<bool>("--chat") { Description = "Render the prompt with the model's chat template." };
        var maxTokens = EngineFlags.Positive("--max-tokens", "Maximum number of tokens to generate.", 128);
        var temperature = new Option<float>("--temperature")
        {
            Description = "Sampling temperature; 0 means greedy sampling. --seed makes sampling reproducible.",
            DefaultValueFactory = _ => 0,
            HelpName = "T"
        }
            .Only(value => value >= 0, "at least 0");
        var command = new Command(
            "generate", "Generates once from a prompt and prints the text as it comes.") { prompt, chat, maxTokens, temperature };
        flags.AddTo(command);
        command.SetAction((arguments, cancellationToken) => RunAsync(
            StartupArguments.Read(flags, arguments),
            arguments.GetRequiredValue(prompt),
            arguments.GetValue(chat),
            new SamplingParameters
            {
                Temperature = arguments.GetValue(temperature),
                MaxTokens = arguments.GetValue(maxTokens),
                Seed = arguments.GetValue(flags.Seed)
            },
            cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(
        StartupOptions startup, string prompt, bool chat, SamplingParameters sampling, CancellationToken cancellationToken)
    {
        var text = prompt == "-" ? await Console.In.ReadToEndAsync(cancellationToken) : prompt;
        var folders = await ModelFolder.PrepareAsync(startup, Console.Error.WriteLine, cancellationToken);
        await using var worker = LoadBar.Run(progress => TextEngine.Load(startup, folders, progress, Console.Error.WriteLine));
        if (chat)
        {
            var template = worker.ChatTemplate ?? throw new CommandFailure($"{startup.Model} has no chat template; leave out --chat");
            try
            {
                text = template.Render([new JsonObject { ["role"] = "user", ["content"] = text }], null, addGenerationPrompt: true);
            }
            catch (ChatTemplateException exception)
            {
                throw new CommandFailure(exception.Message, exception);
            }
        }

        var started = TimeProvider.System.GetTimestamp();
        var first = TimeSpan.Zero;
        TokenOutput? last = null;
        try
        {
            var request = new GenerationRequest("generate", worker.Tokenizer.Encode(text, addSpecialTokens: !chat), sampling);
            await foreach (var output in worker.Engine.GenerateAsync(request, cancellationToken))
            {
                first = last is null ? TimeProvider.System.GetElapsedTime(started) : first;
                last = output;
                Console.Write(output.Text);
            }
        }
        catch (InvalidRequestException exception)
        {
            throw new CommandFailure(exception.Message, exception);
        }

        Console.WriteLine();
        var decode = TimeProvider.System.GetElapsedTime(started) - first;
        await Console.Error.WriteLineAsync(
            $"{last!.PromptTokens} prompt tokens, first token after {first.TotalMilliseconds:F1} ms; {last.CompletionTokens} tokens, "
            + $"{(last.CompletionTokens - 1) / decode.TotalSeconds:F1} tokens/s; finished: "
            + $"{last.FinishReason?.ToString().ToLowerInvariant()}");
        if (worker.Engine.Statistics.Speculation is { NumDraftTokens: > 0 } speculation)
        {
            await Console.Error.WriteLineAsync(
                $"{speculation.NumAcceptedTokens} of {speculation.NumDraftTokens} drafted tokens accepted "
                + $"({100.0 * speculation.NumAcceptedTokens / speculation.NumDraftTokens:F1} %)");
        }

        return 0;
    }
}
