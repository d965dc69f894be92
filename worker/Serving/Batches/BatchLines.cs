using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace Cluster.Worker.Serving.Batches;

/// <summary>A line of a batch's input.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Bytes">Without its end; null for one that is longer than allowed.</param>
internal sealed record BatchLine(int Number, byte[]? Bytes)
{
    private static readonly byte[] Blank = [(byte)' ', (byte)'\t', (byte)'\r'];

    public bool IsBlank => Bytes is { } bytes && bytes.AsSpan().IndexOfAnyExcept(Blank) < 0;
}

/// <summary>Reads a batch's input line by line, and never more of a line than allowed. Called by <see cref="BatchRun"/>.</summary>
internal static class BatchLines
{
    private static readonly byte[] Mark = [0xef, 0xbb, 0xbf];

    /// <param name="maxBytes">Of one line.</param>
    public static async IAsyncEnumerable<BatchLine> ReadAsync(
        string file, int maxBytes, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var stream = File.OpenRead(file);
        await foreach (var line in ReadAsync(stream, maxBytes, cancellationToken))
        {
            yield return line;
        }
    }

    /// <param name="stream">Left open.</param>
    /// <param name="maxBytes">Of one line.</param>
    public static async IAsyncEnumerable<BatchLine> ReadAsync(
        Stream stream, int maxBytes, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var number = 1;
        var isTooLong = false;
        var reader = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));
        try
        {
            while (true)
            {
                var read = await reader.ReadAsync(cancellationToken);
                var buffer = read.Buffer;
                while (buffer.PositionOf((byte)'\n') is { } end)
                {
                    yield return Line(buffer.Slice(0, end));
                    buffer = buffer.Slice(buffer.GetPosition(1, end));
                }

                if (buffer.Length > maxBytes)
                {
                    isTooLong = true;
                    buffer = buffer.Slice(buffer.End);
                }

                if (read.IsCompleted)
                {
                    if (buffer.Length > 0 || isTooLong)
                    {
                        yield return Line(buffer);
                    }

                    yield break;
                }

                reader.AdvanceTo(buffer.Start, buffer.End);
            }
        }
        finally
        {
            await reader.CompleteAsync();
        }

        BatchLine Line(ReadOnlySequence<byte> bytes)
        {
            var line = new BatchLine(number, isTooLong || bytes.Length > maxBytes ? null : Text(bytes.ToArray()));
            number++;
            isTooLong = false;
            return line;
        }

        byte[] Text(byte[] bytes) => number == 1 && bytes.AsSpan().StartsWith(Mark) ? bytes[Mark.Length..] : bytes;
    }
}
