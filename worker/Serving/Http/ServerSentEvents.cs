using System.Buffers;
using System.Text;
using System.Text.Json;
using Cluster.Worker.Engine;
using Cluster.Worker.Serving.Relaying;

namespace Cluster.Worker.Serving.Http;

/// <summary>Writes a response as server-sent events: <c>data: {json}</c> and an empty line each, <c>data: [DONE]</c> last.</summary>
internal sealed class ServerSentEvents
{
    private static readonly byte[] Prefix = "data: "u8.ToArray();
    private static readonly byte[] Suffix = "\n\n"u8.ToArray();
    private static readonly byte[] Done = "data: [DONE]\n\n"u8.ToArray();

    private readonly HttpResponse _response;
    private readonly EventMarks? _marks;

    private ServerSentEvents(HttpResponse response)
    {
        _response = response;
        _marks = Envelope.Of(response.HttpContext) is { } envelope ? new EventMarks(envelope) : null;
    }

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
    /// <param name="choice">The one that the event belongs to; null for none.</param>
    public async Task SendAsync<T>(T value, int? choice, CancellationToken cancellationToken)
    {
        var writer = _response.BodyWriter;
        if (!TryMark(choice))
        {
            return;
        }

        writer.Write(Prefix);
        await using (var json = new Utf8JsonWriter(writer, new JsonWriterOptions { Encoder = ApiJson.Options.Encoder }))
        {
            JsonSerializer.Serialize(json, value, ApiJson.Options);
        }

        writer.Write(Suffix);
        await writer.FlushAsync(cancellationToken);
    }

    public async Task FinishAsync(CancellationToken cancellationToken)
    {
        if (TryMark(null))
        {
            await _response.BodyWriter.WriteAsync(Done, cancellationToken);
        }
    }

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
        var deadline = RequestDeadline.Of(context);
        await using var enumerator = outputs.GetAsyncEnumerator(aborted);
        var more = await enumerator.MoveNextAsync();
        deadline.ThrowIfEnded(more ? enumerator.Current.Output : null);
        var events = Start(context.Response);
        try
        {
            if (more)
            {
                events._marks?.Expect(enumerator.Current);
            }

            await begin(events);
            for (; more; more = await enumerator.MoveNextAsync())
            {
                if (events._marks is not null && deadline.IsEndOfServer(enumerator.Current.Output))
                {
                    BreakOff(context);
                    return;
                }

                events._marks?.Take(enumerator.Current);
                await onOutput(events, enumerator.Current);
            }

            await end(events);
        }
        catch (Exception exception) when (
            events._marks is not null
            && exception is EngineUnavailableException or GenerationFailedException { IsRequestsFault: false })
        {
            BreakOff(context);
            return;
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            await events.SendAsync(ErrorResponses.Spell(context, ErrorResponses.Translate(exception)).Body, null, aborted);
        }

        if (marksEnd)
        {
            await events.FinishAsync(aborted);
        }
    }

    /// <summary>What this worker cannot finish, another can: the gateway takes a stream that breaks off there. An event would say that it
    /// has ended.</summary>
    private static void BreakOff(HttpContext context) => context.Abort();

    /// <summary>Writes the mark of the next event, where events have marks.</summary>
    /// <returns>False when the event is not to be sent.</returns>
    private bool TryMark(int? choice)
    {
        if (_marks is null)
        {
            return true;
        }

        if (_marks.Next(choice) is not { } mark)
        {
            return false;
        }

        _response.BodyWriter.Write(Encoding.ASCII.GetBytes(mark));
        return true;
    }
}
