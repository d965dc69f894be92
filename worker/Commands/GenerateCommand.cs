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
        var prompt = new Option<string?>("--prompt")
        {
            Description = "Text to continue, or the user's message with --chat; - reads standard input.",
            HelpName = "TEXT"
        };
        var prompts = new Option<string?>("--prompts-file")
        {
            Description = "File of prompts instead, answered together: one per line; in a file whose name ends in .jsonl, texts or objects "
                + "with 'prompt' or 'messages'. Answers are JSON, one per line and in order.",
            HelpName = "FILE"
        };
        var output = new Option<string?>("--output-file", "-o")
        {
            Description = "File for the answers to --prompts-file. Default: standard output.",
            HelpName = "FILE"
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
            "generate", "Generates once from a prompt and prints the text as it comes, or from a file of prompts.")
            {
                prompt, prompts, output, chat, maxTokens, temperature,
            };
        flags.AddTo(command);
        command.Validators.Add(result =>
        {
            if (result.GetResult(prompt) is null == result.GetResult(prompts) is null)
            {
                result.AddError("generate needs --prompt TEXT or --prompts-file FILE, and not both");
            }

            if (result.GetResult(output) is not null && result.GetResult(prompts) is null)
            {
                result.AddError("--output-file needs --prompts-file");
            }
        });
        command.SetAction((arguments, cancellationToken) =>
        {
            var startup = StartupArguments.Read(flags, arguments);
            var sampling = new SamplingParameters
            {
                Temperature = arguments.GetValue(temperature),
                MaxTokens = arguments.GetValue(maxTokens),
                Seed = arguments.GetValue(flags.Seed)
            };
            return arguments.GetValue(prompts) is { } file
                ? GenerateMany.RunAsync(
                    startup, file, arguments.GetValue(output), arguments.GetValue(chat), sampling, cancellationToken)
                : RunAsync(startup, arguments.GetValue(prompt)!, arguments.GetValue(chat), sampling, cancellationToken);
        });
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
