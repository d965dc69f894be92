using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Cluster.Worker.Serving.Batches;

/// <summary>The output file of a batch: one line per request, added when its answer is there and never changed. What a run that was killed
/// has left is read when the file is opened, so that the next one goes on behind it. Written by <see cref="BatchRun"/>.</summary>
/// <remarks>The id of a line says which line of the input it answers: <c>batch_req_17</c> is line 17.</remarks>
internal sealed class BatchOutput : IDisposable
{
    private const string Prefix = "batch_req_";

    private static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly string _path;
    private readonly FileStream _file;
    private readonly Lock _gate = new();
    private readonly Dictionary<int, string?> _done = [];

    private BatchOutput(string path)
    {
        _path = path;

        // A second run at the same time would answer everything twice. Only this mode of sharing is a lock on Linux.
        _file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
    }

    /// <summary>Lines that were there when the file was opened.</summary>
    public int NumDone => _done.Count;

    /// <summary>Opens a file, new or of an earlier run. A last line without its end was being written when that run was killed; it is
    /// removed.</summary>
    /// <exception cref="IOException">Another run has it open.</exception>
    /// <exception cref="FormatException">It is no output of a batch.</exception>
    public static async Task<BatchOutput> OpenAsync(string path, CancellationToken cancellationToken)
    {
        var output = new BatchOutput(path);
        try
        {
            var whole = 0L;
            await foreach (var line in BatchLines.ReadAsync(output._file, int.MaxValue, cancellationToken))
            {
                var end = whole + line.Bytes!.Length;
                if (end == output._file.Length)
                {
                    break;
                }

                whole = end + 1;
                output.Remember(line);
            }

            output._file.SetLength(whole);
            output._file.Seek(0, SeekOrigin.End);
            return output;
        }
        catch
        {
            output.Dispose();
            throw;
        }
    }

    /// <summary>Whether an earlier run has answered a line.</summary>
    /// <exception cref="FormatException">It answered another request on that line: the file belongs to another input.</exception>
    public bool IsDone(int number, string? customId)
    {
        if (!_done.TryGetValue(number, out var answered))
        {
            return false;
        }

        return answered == customId
            ? true
            : throw new FormatException(
                $"{_path} belongs to another input: it answers line {number} as '{answered}', which is '{customId}' now; choose another "
                + "file, or remove it to start anew");
    }

    public void Write(int number, string? customId, InProcessAnswer answer, string requestId) => Append(writer =>
    {
        Begin(writer, number, customId);
        writer.WriteStartObject("response");
        writer.WriteNumber("status_code", answer.Status);
        writer.WriteString("request_id", requestId);
        writer.WritePropertyName("body");
        if (answer.IsJson)
        {
            writer.WriteRawValue(answer.Body);
        }
        else
        {
            writer.WriteStringValue(answer.Text);
        }

        writer.WriteEndObject();
        writer.WriteNull("error");
    });

    public void Write(int number, string? customId, BatchError error) => Append(writer =>
    {
        Begin(writer, number, customId);
        writer.WriteNull("response");
        writer.WriteStartObject("error");
        writer.WriteString("code", error.Code);
        writer.WriteString("message", error.Message);
        writer.WriteNumber("line", number);
        writer.WriteEndObject();
    });

    public void Dispose() => _file.Dispose();

    private static void Begin(Utf8JsonWriter writer, int number, string? customId)
    {
        writer.WriteString("id", string.Create(CultureInfo.InvariantCulture, $"{Prefix}{number}"));
        writer.WriteString("custom_id", customId);
    }

    private void Append(Action<Utf8JsonWriter> write)
    {
        using var line = new MemoryStream();
        using (var writer = new Utf8JsonWriter(line, Readable))
        {
            writer.WriteStartObject();
            write(writer);
            writer.WriteEndObject();
        }

        line.WriteByte((byte)'\n');
        lock (_gate)
        {
            _file.Write(line.GetBuffer(), 0, (int)line.Length);
            _file.Flush();
        }
    }

    private void Remember(BatchLine line)
    {
        try
        {
            using var document = JsonDocument.Parse(line.Bytes);
            var id = document.RootElement.GetProperty("id").GetString() ?? "";
            var number = int.Parse(id.AsSpan(Math.Min(id.Length, Prefix.Length)), NumberStyles.None, CultureInfo.InvariantCulture);
            _done[number] = document.RootElement.GetProperty("custom_id").GetString();
        }
        catch (Exception exception)
            when (exception is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or OverflowException)
        {
            throw new FormatException(
                $"{_path} line {line.Number} is no line of a batch's output; choose another file", exception);
        }
    }
}
