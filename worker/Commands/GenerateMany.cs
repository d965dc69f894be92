using System.Text.Json.Nodes;
using Cluster.Worker.Engine;
using Cluster.Worker.Serving;
using Cluster.Worker.Serving.Http;
using Cluster.Worker.Startup;

namespace Cluster.Worker.Commands;

/// <summary><c>generate --prompts-file</c>: many prompts at once, their answers in order, as JSON Lines.</summary>
internal static class GenerateMany
{
    /// <summary>Requests that are handed to the engine at once, for each that can run: what waits must not be short of work, nor hold all
    /// prompts of a large file.</summary>
    private const int RequestsPerSequence = 2;

    /// <param name="output">Null for standard output.</param>
    /// <param name="chat">Whether texts are users' messages.</param>
    public static async Task<int> RunAsync(
        StartupOptions startup, string file, string? output, bool chat, SamplingParameters sampling, CancellationToken cancellationToken)
    {
        // What is wrong with the file is told before a model is loaded for it.
        var prompts = PromptsFile.Read(file, chat);
        var most = RequestsPerSequence * startup.Engine.MaxNumSeqs;
        startup = startup with { Engine = startup.Engine with { MaxQueue = Math.Max(startup.Engine.MaxQueue, most) } };
        var folders = await ModelFolder.PrepareAsync(startup, Console.Error.WriteLine, cancellationToken);
        await using var worker = LoadBar.Run(progress => TextEngine.Load(startup, folders, progress, Console.Error.WriteLine));
        var model = new ServedModel(
            [startup.Model], startup.Model, worker.Engine, worker.Tokenizer, worker.ChatTemplate, worker.Devices);
        await using var writer = output is null ? null : new StreamWriter(output);
        var started = TimeProvider.System.GetTimestamp();
        var tokens = await CountBar.RunAsync("prompts", async report =>
        {
            var (finished, generated) = (0, 0L);
            await foreach (var answer in OrderedRun.RunAsync(prompts.Index(), most, AnswerAsync, cancellationToken))
            {
                await (writer ?? Console.Out).WriteLineAsync(answer.ToJsonString(ApiJson.Options));
                report(++finished, prompts.Count, "");
                generated += (int?)answer["completion_tokens"] ?? 0;
            }

            return generated;
        });
        var seconds = TimeProvider.System.GetElapsedTime(started).TotalSeconds;
        await Console.Error.WriteLineAsync(
            string.Create(
                System.Globalization.CultureInfo.InvariantCulture,
                $"{prompts.Count} prompts, {tokens} tokens, {tokens / seconds:F1} tokens/s"));
        return 0;

        async Task<JsonObject> AnswerAsync((int Index, PromptsFile Item) prompt, CancellationToken stop)
        {
            var answer = new JsonObject { ["index"] = prompt.Index, ["prompt"] = prompt.Item.Label.DeepClone() };
            try
            {
                var ids = prompt.Item.Chat is { } conversation
                    ? ServedPrompt.OfChat(model, conversation)
                    : ServedPrompt.OfText(model, prompt.Item.Text!);
                var request = new GenerationRequest($"prompt-{prompt.Index}", ids, sampling);
                var text = (await JoinedOutput.CollectAsync(worker.Engine, request, stop))[0];
                answer["text"] = text.Text;
                answer["finish_reason"] = Wire.Spell(text.FinishReason);
                answer["prompt_tokens"] = text.PromptTokens;
                answer["completion_tokens"] = text.CompletionTokens;
            }
            catch (Exception exception) when (exception is not (OperationCanceledException or EngineUnavailableException))
            {
                // One prompt that cannot be answered is no reason to lose the others.
                answer["error"] = ErrorResponses.Translate(exception).Message;
            }

            return answer;
        }
    }
}
