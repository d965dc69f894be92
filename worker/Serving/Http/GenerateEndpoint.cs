using System.Text.Json;

namespace Cluster.Worker.Serving.Http;

internal sealed record GenerateResponse(IReadOnlyList<string> Text);

/// <summary><c>POST /generate</c>, vLLM's plain API: a prompt and sampling parameters in, <c>{"text": [prompt + output, …]}</c> out;
/// with <c>"stream": true</c> a JSON object a line, each with the text so far. TGI has the path, too: a body with <c>inputs</c> is
/// <see cref="TgiEndpoint"/>'s.</summary>
internal static class GenerateEndpoint
{
    private static readonly byte[] NewLine = "\n"u8.ToArray();

    public static async Task HandleAsync(HttpContext context, ServingState state)
    {
        var model = ServingRequest.RequireModel(state);
        using var fields = await RequestFields.ReadAsync(context.Request, context.RequestAborted);
        if (fields.Element("inputs") is not null)
        {
            await TgiEndpoint.GenerateAsync(context, model, fields);
            return;
        }

        var prompt = fields.String("prompt")
            ?? throw ApiException.BadRequest("'prompt' is required: a text (or 'inputs', TGI's field)", "prompt");
        var stream = fields.Boolean("stream") ?? false;
        var sampling = SamplingFields.Read(
            fields, model.Defaults, model.Defaults.MostTokens(fields.Integer("max_tokens"), 16), logprobs: null);
        var ticket = RequestTicket.Read(context, fields, "gen");
        var kept = PromptTruncation.Kept(fields, model.Engine.MaxModelLength);
        var tokens = PromptEncoding.Encode(model, prompt, addSpecialTokens: true, "prompt", kept);
        fields.RejectUnread();
        var requests = Choices.Plan(ticket, [tokens], sampling, stream);
        if (!stream)
        {
            var choices = await ChoiceText.CollectAsync(model.Engine, requests, RequestDeadline.Of(context), context.RequestAborted);
            await context.Response.WriteAsJsonAsync(
                new GenerateResponse([.. choices.Where(choice => choice.Last is not null).Select(choice => prompt + choice.Text)]),
                ApiJson.Options, context.RequestAborted);
            return;
        }

        var texts = Enumerable.Repeat(prompt, sampling.N).ToArray();
        await using var outputs = Choices.RunAsync(model.Engine, requests, RequestDeadline.Of(context), context.RequestAborted)
            .GetAsyncEnumerator(context.RequestAborted);
        var more = await outputs.MoveNextAsync();
        RequestDeadline.Of(context).ThrowIfEnded(more ? outputs.Current.Output : null);
        context.Response.ContentType = "application/x-ndjson";
        for (; more; more = await outputs.MoveNextAsync())
        {
            var (index, output) = outputs.Current;
            texts[index] += output.Text;
            await JsonSerializer.SerializeAsync(
                context.Response.Body, new GenerateResponse(texts), ApiJson.Options, context.RequestAborted);
            await context.Response.BodyWriter.WriteAsync(NewLine, context.RequestAborted);
        }
    }
}
