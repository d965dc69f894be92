using Cluster.Worker.Serving.Relaying;

namespace Cluster.Worker.Serving.Http;

internal sealed record GenerateResponse(IReadOnlyList<string> Text);

/// <summary><c>POST /generate</c>, vLLM's plain API: a prompt and sampling parameters in, <c>{"text": [prompt + output, …]}</c> out;
/// with <c>"stream": true</c> a JSON object a line, each with the text so far. TGI has the path, too: a body with <c>inputs</c> is
/// <see cref="TgiEndpoint"/>'s.</summary>
internal static class GenerateEndpoint
{
    public static async Task HandleAsync(HttpContext context, ServingState state)
    {
        var model = ServingRequest.RequireModel(state);
        using var fields = await Envelope.ReadAsync(context, model);
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
        await JsonLines.StreamAsync(
            context,
            Choices.RunAsync(model.Engine, requests, RequestDeadline.Of(context), context.RequestAborted),
            item =>
            {
                texts[item.Index] += item.Output.Text;
                return new GenerateResponse(texts);
            });
    }
}
