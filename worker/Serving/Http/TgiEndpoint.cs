using Cluster.Worker.Serving.Relaying;

namespace Cluster.Worker.Serving.Http;

/// <summary>The API of TGI (Hugging Face text-generation-inference): <c>POST /generate</c> with <c>inputs</c>, <c>/generate_stream</c>, and
/// <c>/</c>, which is either by its <c>stream</c>. Errors have TGI's shape, too.</summary>
internal static class TgiEndpoint
{
    private static readonly ErrorDialect Errors = new(Spell);

    /// <summary><c>/generate</c>, called by <see cref="GenerateEndpoint"/> for bodies with <c>inputs</c>.</summary>
    public static async Task GenerateAsync(HttpContext context, ServedModel model, RequestFields fields)
    {
        context.Features.Set(Errors);
        var request = TgiRequest.Read(fields, model, stream: false, Envelope.Of(context)?.Seed);
        await context.Response.WriteAsJsonAsync(await CollectAsync(context, model, request), ApiJson.Options, context.RequestAborted);
    }

    public static async Task StreamAsync(HttpContext context, ServingState state)
    {
        context.Features.Set(Errors);
        var model = ServingRequest.RequireModel(state);
        using var fields = await Envelope.ReadAsync(context, model);
        await StreamAsync(context, model, TgiRequest.Read(fields, model, stream: true, Envelope.Of(context)?.Seed));
    }

    /// <summary><c>/</c>, where <c>huggingface_hub</c> posts. An answer that is not streamed is an array of one.</summary>
    public static async Task CompatibleAsync(HttpContext context, ServingState state)
    {
        context.Features.Set(Errors);
        var model = ServingRequest.RequireModel(state);
        using var fields = await Envelope.ReadAsync(context, model);
        var stream = fields.Boolean("stream") ?? false;
        var request = TgiRequest.Read(fields, model, stream, Envelope.Of(context)?.Seed);
        await (stream
            ? StreamAsync(context, model, request)
            : context.Response.WriteAsJsonAsync<TgiResponse[]>(
                [await CollectAsync(context, model, request)], ApiJson.Options, context.RequestAborted));
    }

    private static async Task<TgiResponse> CollectAsync(HttpContext context, ServedModel model, TgiRequest request)
    {
        TgiSequence[] sequences = [.. Enumerable.Range(0, request.Sampling.N).Select(_ => new TgiSequence(model, request))];
        await foreach (var (index, output) in RunAsync(context, model, request, stream: false))
        {
            RequestDeadline.Of(context).ThrowIfEnded(output);
            sequences[index].Add(output);
        }

        var best = sequences.MaxBy(sequence => sequence.MeanLogprob)!;
        return new TgiResponse(best.Text, request.Details ? best.Details(sequences.Where(sequence => sequence != best)) : null);
    }

    private static Task StreamAsync(HttpContext context, ServedModel model, TgiRequest request)
    {
        var sequence = new TgiSequence(model, request);
        return ServerSentEvents.StreamAsync(
            context,
            RunAsync(context, model, request, stream: true),
            _ => Task.CompletedTask,
            async (events, item) =>
            {
                foreach (var token in sequence.Add(item.Output))
                {
                    await events.SendAsync(token, item.Index, context.RequestAborted);
                }
            },
            _ => Task.CompletedTask,
            marksEnd: false);
    }

    private static IAsyncEnumerable<ChoiceOutput> RunAsync(HttpContext context, ServedModel model, TgiRequest request, bool stream) =>
        Choices.RunAsync(
            model.Engine,
            Choices.Plan(RequestTicket.Draw(context, "tgi"), [request.Prompt], request.Sampling, stream),
            RequestDeadline.Of(context),
            context.RequestAborted);

    private static (int Status, object Body) Spell(ApiException error)
    {
        var (status, type) = error.Status switch
        {
            StatusCodes.Status429TooManyRequests => (error.Status, "overloaded"),
            StatusCodes.Status500InternalServerError => (StatusCodes.Status424FailedDependency, "generation"),
            StatusCodes.Status503ServiceUnavailable => (error.Status, "healthcheck"),
            StatusCodes.Status504GatewayTimeout => (error.Status, "incomplete_generation"),
            StatusCodes.Status413PayloadTooLarge => (error.Status, "validation"),
            _ => (StatusCodes.Status422UnprocessableEntity, "validation"),
        };
        return (status, new TgiError(error.Message, type));
    }
}
