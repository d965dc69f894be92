using System.Text.Json;
using System.Text.Json.Serialization;
using Cluster.Worker.Engine;
using Cluster.Worker.Serving.Relaying;

namespace Cluster.Worker.Serving.Http;

internal sealed record CompletionChoice(
    int Index,
    string Text,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] CompletionLogprobs? Logprobs,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? FinishReason,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] object? StopReason)
{
    /// <summary>vLLM's addition.</summary>
    public IReadOnlyList<Dictionary<int, PromptLogprob>?>? PromptLogprobs { get; init; }
}

internal sealed record CompletionResponse(
    string Id, string Object, long Created, string Model, IReadOnlyList<CompletionChoice> Choices, Usage? Usage);

/// <summary><c>POST /v1/completions</c>: text (or token ids) in, continuation out.</summary>
internal static class CompletionsEndpoint
{
    public static async Task HandleAsync(HttpContext context, ServingState state, TimeProvider time)
    {
        var model = ServingRequest.RequireModel(state);
        using var fields = await Envelope.ReadAsync(context, model);
        ServingRequest.RequireName(model, fields.String("model"));
        var kept = PromptTruncation.Kept(fields, model.Engine.MaxModelLength);
        var prompts = Prompts(fields, model, kept).Select(prompt => PromptTruncation.Apply(prompt, kept)).ToArray();
        Array.ForEach(prompts, prompt => ServingRequest.RequireRoom(model, prompt, "prompt"));
        var stream = fields.Boolean("stream") ?? false;
        var streaming = StreamOptions.Read(fields, stream);
        var echo = fields.Boolean("echo") ?? false;
        fields.Refuse(
            "suffix", "this model completes text at its end only",
            value => value.ValueKind == JsonValueKind.String && value.GetString() == "");
        fields.AcceptInert();
        var logprobs = fields.Integer("logprobs");
        var maxTokens = model.Defaults.MostTokens(fields.Integer("max_tokens"), 16)!.Value;
        var promptLogprobs = ServingRequest.PromptLogprobs(fields, stream);
        var sampling = SamplingFields.Read(
            fields, model.Defaults, maxTokens, logprobs, echo ? Echo.PromptLogprobs(maxTokens, logprobs, promptLogprobs) : promptLogprobs);
        var ticket = RequestTicket.Read(context, fields, "cmpl");
        fields.RejectUnread();

        var response = new CompletionResponse(
            ticket.ResponseId, "text_completion", ticket.Created(time).ToUnixTimeSeconds(), model.Name, [], null);
        var requests = Choices.Plan(ticket, prompts, sampling, stream);
        var prefixes = requests.Select(request => echo ? new Echo(model.Tokenizer, request.PromptTokenIds) : null).ToArray();
        if (!stream)
        {
            var choices = await ChoiceText.CollectAsync(model.Engine, requests, RequestDeadline.Of(context), context.RequestAborted);
            await context.Response.WriteAsJsonAsync(
                response with
                {
                    Choices = [
                        .. choices.Index().Where(one => one.Item.Last is not null)
                            .Select(
                                one =>
                                    WholeChoice(model, one.Index, one.Item, prefixes[one.Index / sampling.N], logprobs, promptLogprobs))],
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
            _ => Task.CompletedTask,
            (events, item) =>
            {
                // The prompt's text comes with the first output, as its log-probabilities do.
                var prefix = last[item.Index] is null ? prefixes[item.Index / sampling.N] : null;
                var choice = Choice(model, item.Index, item.Output, prefix, lengths[item.Index], logprobs);
                last[item.Index] = item.Output;
                lengths[item.Index] += choice.Text.Length;
                return choice.Text.Length == 0 && choice.FinishReason is null && choice.Logprobs is null
                    ? Task.CompletedTask
                    : events.SendAsync(
                        response with { Choices = [choice], Usage = streaming.Each(last, sampling.N) }, item.Index, context.RequestAborted);
            },
            events => streaming.IncludeUsage
                ? events.SendAsync(response with { Usage = Usage.Of(last, sampling.N) }, null, context.RequestAborted)
                : Task.CompletedTask);
    }

    private static CompletionChoice WholeChoice(
        ServedModel model, int index, ChoiceText choice, Echo? prefix, int? logprobs, int? promptLogprobs)
    {
        var whole = choice.Last! with { Text = choice.Text, Logprobs = choice.Logprobs, PromptLogprobs = choice.PromptLogprobs };
        return Choice(model, index, whole, prefix, 0, logprobs) with
        {
            PromptLogprobs = promptLogprobs is { } numTop && whole.PromptLogprobs is { } positions
                ? PromptLogprob.Of(model.Tokenizer, positions, numTop)
                : null,
        };
    }

    /// <param name="prefix">The prompt, where the text begins with it.</param>
    /// <param name="offset">Characters of the choice's text before this output.</param>
    private static CompletionChoice Choice(ServedModel model, int index, TokenOutput output, Echo? prefix, int offset, int? logprobs)
    {
        var positions = new List<(int, PositionLogprobs?)>();
        if (logprobs is not null)
        {
            positions.AddRange(prefix?.Positions(output) ?? []);
            positions.AddRange(output.Logprobs?.Select(position => (position.Sampled.TokenId, (PositionLogprobs?)position)) ?? []);
        }

        return new CompletionChoice(
            index,
            prefix?.Text + output.Text,
            positions.Count == 0 ? null : CompletionLogprobs.Of(model.Tokenizer, positions, logprobs!.Value, offset),
            Wire.Spell(output.FinishReason),
            Wire.StopReason(output));
    }

    /// <summary>A text, several texts, token ids, or several lists of token ids.</summary>
    private static IReadOnlyList<IReadOnlyList<int>> Prompts(RequestFields fields, ServedModel model, int? kept)
    {
        const string Name = "prompt";
        var addSpecialTokens = fields.Boolean("add_special_tokens") ?? true;
        if (fields.Element(Name) is not { } prompt)
        {
            throw ApiException.BadRequest("'prompt' is required: a text, token ids, or an array of either", Name);
        }

        // Before any of them becomes tokens: a small body can hold millions.
        if (prompt.ValueKind == JsonValueKind.Array
            && prompt.GetArrayLength() > Choices.MaxChoices
            && prompt[0].ValueKind != JsonValueKind.Number)
        {
            throw ApiException.BadRequest(
                $"'{Name}' is an array of {prompt.GetArrayLength()} prompts; at most {Choices.MaxChoices} are possible", Name);
        }

        if (prompt.ValueKind == JsonValueKind.String && kept is null)
        {
            PromptEncoding.RequirePossible(model, prompt, Name);
        }

        if (prompt.ValueKind == JsonValueKind.String
            || prompt.ValueKind == JsonValueKind.Array && prompt.GetArrayLength() > 0 && prompt[0].ValueKind == JsonValueKind.String)
        {
            return [.. fields.Strings(Name).Select(text => PromptEncoding.Encode(model, text, addSpecialTokens, Name, kept))];
        }

        if (prompt.ValueKind != JsonValueKind.Array || prompt.GetArrayLength() == 0)
        {
            throw RequestFields.WrongType(Name, prompt, "a text, token ids, or a non-empty array of either");
        }

        return prompt[0].ValueKind == JsonValueKind.Array
            ? [.. prompt.EnumerateArray()
                .Select(
                    item => item.ValueKind == JsonValueKind.Array
                        ? RequestFields.TokenIds(Name, item)
                        : throw RequestFields.WrongType(Name, prompt, "an array of arrays of integers"))]
            : [RequestFields.TokenIds(Name, prompt)];
    }
}
