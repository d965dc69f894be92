using System.Text.Json.Serialization;
using Cluster.Worker.Engine;
using Cluster.Worker.Serving.Parsing;
using Cluster.Worker.Serving.Relaying;

namespace Cluster.Worker.Serving.Http;

/// <summary>A whole message in a response. One that only calls tools has content null, which clients expect to be there.</summary>
internal sealed record AssistantMessage(
    string Role,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? Content,
    IReadOnlyList<ToolCall>? ToolCalls = null)
{
    /// <summary>OpenAI's models may refuse; its clients expect the member.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? Refusal => null;

    /// <summary>What the model thought before it answered: vLLM's and DeepSeek's addition.</summary>
    public string? ReasoningContent { get; init; }
}

/// <summary>The new part of a message in a stream.</summary>
internal sealed record MessageDelta(string? Role, string? Content, IReadOnlyList<ToolCall>? ToolCalls = null)
{
    public string? ReasoningContent { get; init; }

    [JsonIgnore]
    public bool IsEmpty => Content is null && ToolCalls is null && ReasoningContent is null;
}

internal sealed record ChatChoice(
    int Index,
    AssistantMessage? Message,
    MessageDelta? Delta,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] ChatLogprobs? Logprobs,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? FinishReason,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] object? StopReason);

internal sealed record ChatResponse(string Id, string Object, long Created, string Model, IReadOnlyList<ChatChoice> Choices, Usage? Usage)
{
    /// <summary>vLLM's addition.</summary>
    public IReadOnlyList<Dictionary<int, PromptLogprob>?>? PromptLogprobs { get; init; }
}

/// <summary><c>POST /v1/chat/completions</c>: renders the conversation with the checkpoint's template and continues it.</summary>
internal static class ChatCompletionsEndpoint
{
    /// <summary>OpenAI's bound on <c>top_logprobs</c>.</summary>
    private const int MaxTopLogprobs = 20;

    public static async Task HandleAsync(HttpContext context, ServingState state, TimeProvider time)
    {
        var model = ServingRequest.RequireModel(state);
        using var fields = await Envelope.ReadAsync(context, model);
        ServingRequest.RequireName(model, fields.String("model"));
        var tools = ChatTools.Read(fields);
        var kept = PromptTruncation.Kept(fields, model.Engine.MaxModelLength);
        var (text, addSpecialTokens) = ChatPrompt.Read(fields, model, tools.Definitions, kept, Envelope.Of(context)?.Now);
        var prompt = PromptEncoding.Encode(model, text, addSpecialTokens, "messages", kept);
        ServingRequest.RequireRoom(model, prompt, "messages");
        var stream = fields.Boolean("stream") ?? false;
        var streaming = StreamOptions.Read(fields, stream);
        var logprobs = Logprobs(fields);
        var maxTokens = model.Defaults.MostTokens(fields.Integer("max_completion_tokens") ?? fields.Integer("max_tokens"));
        fields.Accept("max_tokens");
        fields.AcceptInert();
        fields.RefuseUnavailableToChat();
        var output = ChatOutput.Read(fields, model, tools, prompt, Envelope.Of(context)?.Id);
        var sampling = output.Sampling(
            SamplingFields.Read(fields, model.Defaults, maxTokens, logprobs, ServingRequest.PromptLogprobs(fields, stream)));
        var ticket = RequestTicket.Read(context, fields, "chatcmpl");
        fields.RejectUnread();

        var response = new ChatResponse(
            ticket.ResponseId, stream ? "chat.completion.chunk" : "chat.completion", ticket.Created(time).ToUnixTimeSeconds(), model.Name,
            [], null);
        var requests = Choices.Plan(ticket, [prompt], sampling, stream, leadingEvents: 1);
        if (!stream)
        {
            var choices = await ChoiceText.CollectAsync(model.Engine, requests, RequestDeadline.Of(context), context.RequestAborted);
            await context.Response.WriteAsJsonAsync(
                response with
                {
                    Choices = [
                        .. choices.Where(choice => choice.Last is not null)
                            .Select((choice, index) => WholeChoice(model, index, choice, output))],
                    PromptLogprobs = choices[0].PromptLogprobs is { } positions
                        ? PromptLogprob.Of(model.Tokenizer, positions, sampling.PromptLogprobs!.Value)
                        : null,
                    Usage = Usage.Of([.. choices.Select(choice => choice.Last)], sampling.N),
                },
                ApiJson.Options,
                context.RequestAborted);
            return;
        }

        var last = new TokenOutput?[sampling.N];
        var parsers = last.Select((_, index) => output.CreateParser(index)).ToArray();
        await ServerSentEvents.StreamAsync(
            context,
            Choices.RunAsync(model.Engine, requests, RequestDeadline.Of(context), context.RequestAborted),
            async events =>
            {
                for (var index = 0; index < sampling.N; index++)
                {
                    await events.SendAsync(
                        response with
                        {
                            Choices = [Choice(model, index, null, new MessageDelta("assistant", ""), [], null)],
                            Usage = streaming.Each(last, sampling.N)
                        }, index, context.RequestAborted);
                }
            },
            (events, item) =>
            {
                last[item.Index] = item.Output;
                var parser = parsers[item.Index];
                var delta = output.Delta(item.Output.Text, ended: item.Output.FinishReason is not null, parser);
                var choice = Choice(model, item.Index, null, delta, item.Output.Logprobs ?? [], item.Output, parser);
                return SendAsync(
                    events, choice, part => response with { Choices = [part], Usage = streaming.Each(last, sampling.N) },
                    context.RequestAborted);
            },
            events => streaming.IncludeUsage
                ? events.SendAsync(response with { Usage = Usage.Of(last, sampling.N) }, null, context.RequestAborted)
                : Task.CompletedTask);
    }

    /// <summary>Sends a part of a message. Its end comes in a chunk of its own, as OpenAI's does: there are clients that look at nothing
    /// else in it.</summary>
    private static async Task SendAsync(
        ServerSentEvents events, ChatChoice choice, Func<ChatChoice, ChatResponse> chunk, CancellationToken cancellationToken)
    {
        if (choice.Delta is { IsEmpty: false } || choice.Logprobs is not null)
        {
            await events.SendAsync(chunk(choice with { FinishReason = null, StopReason = null }), choice.Index, cancellationToken);
        }

        if (choice.FinishReason is not null)
        {
            await events.SendAsync(
                chunk(choice with { Delta = new MessageDelta(null, null), Logprobs = null }), choice.Index, cancellationToken);
        }
    }

    private static ChatChoice WholeChoice(ServedModel model, int index, ChoiceText choice, ChatOutput output)
    {
        var parser = output.CreateParser(index);
        return Choice(model, index, output.Message(choice.Text, parser), null, choice.Logprobs, choice.Last, parser);
    }

    private static ChatChoice Choice(
        ServedModel model,
        int index,
        AssistantMessage? message,
        MessageDelta? delta,
        IReadOnlyList<PositionLogprobs> positions,
        TokenOutput? last,
        OutputParser? parser = null) =>
        new(
            index,
            message,
            delta,
            positions.Count == 0 ? null : ChatLogprobs.Of(model.Tokenizer, positions),
            last?.FinishReason == FinishReason.Stop && parser is { StopsForCalls: true } ? "tool_calls" : Wire.Spell(last?.FinishReason),
            Wire.StopReason(last));

    private static int? Logprobs(RequestFields fields)
    {
        var wanted = fields.Boolean("logprobs") ?? false;
        var top = fields.Integer("top_logprobs");
        if (top is < 0 or > MaxTopLogprobs)
        {
            throw ApiException.BadRequest($"'top_logprobs' is {top}; it must be between 0 and {MaxTopLogprobs}", "top_logprobs");
        }

        if (top is not null && !wanted)
        {
            throw ApiException.BadRequest("'top_logprobs' needs 'logprobs': true", "top_logprobs");
        }

        return wanted ? top ?? 0 : null;
    }
}
