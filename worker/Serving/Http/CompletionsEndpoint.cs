using System.Text.Json;
using System.Text.Json.Serialization;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Serving.Http;

internal sealed record CompletionChoice(
    int Index,
    string Text,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] CompletionLogprobs? Logprobs,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? FinishReason,
    string? StopReason);

internal sealed record CompletionResponse(string Id, string Object, long Created, string Model, IReadOnlyList<CompletionChoice> Choices, Usage? Usage);

/// <summary><c>POST /v1/completions</c>: text (or token ids) in, continuation out.</summary>
internal static class CompletionsEndpoint
{
    public static async Task HandleAsync(HttpContext context, ServingState state, TimeProvider time)
    {
        var model = ServingRequest.RequireModel(state);
        using var fields = await RequestFields.ReadAsync(context.Request, context.RequestAborted);
        ServingRequest.RequireName(model, fields.String("model"));
        var prompts = Prompts(fields, model);
        var stream = fields.Boolean("stream") ?? false;
        var includeUsage = ServingRequest.IncludeUsage(fields, stream);
        var echo = fields.Boolean("echo") ?? false;
        fields.Refuse("suffix", "this model completes text at its end only", value => value.ValueKind == JsonValueKind.String && value.GetString() == "");
        fields.AcceptInert();
        var logprobs = fields.Integer("logprobs");
        var sampling = SamplingFields.Read(fields, fields.Integer("max_tokens") ?? 16, logprobs);
        fields.RejectUnread();
        if (echo && logprobs is not null)
        {
            throw ApiException.BadRequest("'echo' with 'logprobs' is not supported: log-probabilities of the prompt are not available", "echo");
        }

        var id = $"cmpl-{Guid.NewGuid():N}";
        var response = new CompletionResponse(id, "text_completion", time.GetUtcNow().ToUnixTimeSeconds(), model.Name, [], null);
        var requests = Choices.Plan(id, prompts, sampling, stream);
        string Echoed(int index) => echo ? model.Tokenizer.Decode([.. requests[index / sampling.N].PromptTokenIds], skipSpecialTokens: false) : "";
        if (!stream)
        {
            var choices = await ChoiceText.CollectAsync(model.Engine, requests, RequestDeadline.Of(context), context.RequestAborted);
            await context.Response.WriteAsJsonAsync(
                response with
                {
                    Choices = [.. choices.Select((choice, index) => Choice(model, index, Echoed(index) + choice.Text, choice.Logprobs, 0, logprobs, choice.Last))],
                    Usage = Usage.Of([.. choices.Select(choice => choice.Last)], sampling.N),
                },
                ApiJson.Options,
                context.RequestAborted);
            return;
        }

        var last = new TokenOutput?[Choices.CountOf(requests)];
        var lengths = new int[last.Length];
        await ServerSentEvents.StreamAsync(
            context,
            Choices.RunAsync(model.Engine, requests, RequestDeadline.Of(context), context.RequestAborted),
            async events =>
            {
                for (var index = 0; echo && index < last.Length; index++)
                {
                    await events.SendAsync(response with { Choices = [new CompletionChoice(index, Echoed(index), null, null, null)] }, context.RequestAborted);
                }
            },
            (events, item) =>
            {
                last[item.Index] = item.Output;
                var choice = Choice(model, item.Index, item.Output.Text, item.Output.Logprobs ?? [], lengths[item.Index], logprobs, item.Output);
                lengths[item.Index] += item.Output.Text.Length;
                return choice.Text.Length == 0 && choice.FinishReason is null && choice.Logprobs is null
                    ? Task.CompletedTask
                    : events.SendAsync(response with { Choices = [choice] }, context.RequestAborted);
            },
            events => includeUsage ? events.SendAsync(response with { Usage = Usage.Of(last, sampling.N) }, context.RequestAborted) : Task.CompletedTask);
    }

    private static CompletionChoice Choice(
        ServedModel model, int index, string text, IReadOnlyList<PositionLogprobs> positions, int offset, int? logprobs, TokenOutput? last) =>
        new(
            index,
            text,
            logprobs is null || positions.Count == 0 ? null : CompletionLogprobs.Of(model.Tokenizer, positions, offset),
            Wire.Spell(last?.FinishReason),
            last?.StopReason);

    /// <summary>A text, several texts, token ids, or several lists of token ids.</summary>
    private static IReadOnlyList<IReadOnlyList<int>> Prompts(RequestFields fields, ServedModel model)
    {
        const string Name = "prompt";
        var addSpecialTokens = fields.Boolean("add_special_tokens") ?? true;
        if (fields.Element(Name) is not { } prompt)
        {
            throw ApiException.BadRequest("'prompt' is required: a text, token ids, or an array of either", Name);
        }

        if (prompt.ValueKind == JsonValueKind.String || prompt.ValueKind == JsonValueKind.Array && prompt.GetArrayLength() > 0 && prompt[0].ValueKind == JsonValueKind.String)
        {
            return [.. fields.Strings(Name).Select(text => model.Tokenizer.Encode(text, addSpecialTokens))];
        }

        if (prompt.ValueKind != JsonValueKind.Array || prompt.GetArrayLength() == 0)
        {
            throw RequestFields.WrongType(Name, prompt, "a text, token ids, or a non-empty array of either");
        }

        return prompt[0].ValueKind == JsonValueKind.Array
            ? [.. prompt.EnumerateArray().Select(item => item.ValueKind == JsonValueKind.Array ? RequestFields.TokenIds(Name, item) : throw RequestFields.WrongType(Name, prompt, "an array of arrays of integers"))]
            : [RequestFields.TokenIds(Name, prompt)];
    }
}
