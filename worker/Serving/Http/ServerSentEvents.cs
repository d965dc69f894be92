using System.Buffers;
using System.Text.Json;

namespace Cluster.Worker.Serving.Http;

/// <summary>Writes a response as server-sent events: <c>data: {json}</c> and an empty line each, <c>data: [DONE]</c> last.</summary>
internal sealed class ServerSentEvents
{
    private static readonly byte[] Prefix = "data: "u8.ToArray();
    private static readonly byte[] Suffix = "\n\n"u8.ToArray();
    private static readonly byte[] Done = "data: [DONE]\n\n"u8.ToArray();

    private readonly HttpResponse _response;

    private ServerSentEvents(HttpResponse response) => _response = response;

    /// <summary>Sends the headers; from here on errors travel as events.</summary>
    public static ServerSentEvents Start(HttpResponse response)
    {
        response.ContentType = "text/event-stream; charset=utf-8";
        response.Headers.CacheControl = "no-cache";
        // nginx would otherwise hold events back until its buffer is full.
        response.Headers["X-Accel-Buffering"] = "no";
        return new ServerSentEvents(response);
    }

    /// <summary>Sends one event and waits until the client has room for more.</summary>
    public async Task SendAsync<T>(T value, CancellationToken cancellationToken)
    {
        var writer = _response.BodyWriter;
        writer.Write(Prefix);
        await using (var json = new Utf8JsonWriter(writer, new JsonWriterOptions { Encoder = ApiJson.Options.Encoder }))
        {
            JsonSerializer.Serialize(json, value, ApiJson.Options);
        }

        writer.Write(Suffix);
        await writer.FlushAsync(cancellationToken);
    }

    public async Task FinishAsync(CancellationToken cancellationToken) => await _response.BodyWriter.WriteAsync(Done, cancellationToken);

    /// <summary>Streams the outputs of a response. The first output is awaited before the headers go out, so that a request which cannot
    /// start is answered with a proper status; a failure later ends the stream with an error event.</summary>
    /// <param name="begin">Sends what comes before the first output.</param>
    /// <param name="onOutput">Sends one output.</param>
    /// <param name="end">Sends what comes after the last.</param>
    /// <param name="marksEnd">Whether <c>[DONE]</c> tells the client that nothing is missing.</param>
    public static async Task StreamAsync(
        HttpContext context,
        IAsyncEnumerable<ChoiceOutput> outputs,
        Func<ServerSentEvents, Task> begin,
        Func<ServerSentEvents, ChoiceOutput, Task> onOutput,
        Func<ServerSentEvents, Task> end,
        bool marksEnd = true)
    {
        var aborted = context.RequestAborted;
        await using var enumerator = outputs.GetAsyncEnumerator(aborted);
        var more = await enumerator.MoveNextAsync();
        RequestDeadline.Of(context).ThrowIfEnded(more ? enumerator.Current.Output : null);
        var events = Start(context.Response);
        try
        {
            await begin(events);
            for (; more; more = await enumerator.MoveNextAsync())
            {
                await onOutput(events, enumerator.Current);
            }

            await end(events);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            await events.SendAsync(ErrorResponses.Spell(context, ErrorResponses.Translate(exception)).Body, aborted);
        }

        if (marksEnd)
        {
            await events.FinishAsync(aborted);
        }
    }
}
