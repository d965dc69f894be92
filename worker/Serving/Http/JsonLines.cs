using System.Text;
using System.Text.Json;
using Cluster.Worker.Serving.Relaying;

namespace Cluster.Worker.Serving.Http;

/// <summary>Writes a response as a JSON object a line.</summary>
internal sealed class JsonLines
{
    private static readonly byte[] NewLine = "\n"u8.ToArray();

    private readonly HttpContext _context;
    private readonly EventMarks? _marks;

    private JsonLines(HttpContext context)
    {
        _context = context;
        _marks = Envelope.Of(context) is { } envelope ? new EventMarks(envelope) : null;
    }

    /// <summary>Streams the outputs of a response. The first output is awaited before the headers go out, so that a request which cannot
    /// start is answered with a proper status.</summary>
    /// <param name="onOutput">Makes the line that an output leads to.</param>
    public static async Task StreamAsync<T>(HttpContext context, IAsyncEnumerable<ChoiceOutput> outputs, Func<ChoiceOutput, T> onOutput)
    {
        var deadline = RequestDeadline.Of(context);
        await using var enumerator = outputs.GetAsyncEnumerator(context.RequestAborted);
        var more = await enumerator.MoveNextAsync();
        deadline.ThrowIfEnded(more ? enumerator.Current.Output : null);
        context.Response.ContentType = "application/x-ndjson";
        var lines = new JsonLines(context);
        for (; more; more = await enumerator.MoveNextAsync())
        {
            var item = enumerator.Current;
            if (lines._marks is not null && deadline.IsEndOfServer(item.Output))
            {
                // Another worker goes on where this stream breaks off.
                context.Abort();
                return;
            }

            lines._marks?.Take(item);
            await lines.SendAsync(onOutput(item), item.Index);
        }
    }

    private async Task SendAsync<T>(T value, int choice)
    {
        var response = _context.Response;
        if (_marks is not null)
        {
            if (_marks.Next(choice) is not { } mark)
            {
                return;
            }

            await response.BodyWriter.WriteAsync(Encoding.ASCII.GetBytes(mark), _context.RequestAborted);
        }

        await JsonSerializer.SerializeAsync(response.Body, value, ApiJson.Options, _context.RequestAborted);
        await response.BodyWriter.WriteAsync(NewLine, _context.RequestAborted);
    }
}
