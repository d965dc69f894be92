using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Cluster.Operator.Local.ApiServer.Routing;

/// <summary>Reads the stream of a client's window sizes: <c>{"Width":80,"Height":24}</c>, one after another.</summary>
internal static class TerminalSizes
{
    private const int LongestObject = 256;

    /// <summary>Ends with the stream, or where it holds something else.</summary>
    public static async IAsyncEnumerable<TerminalSize> ReadAsync(
        Stream stream, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var buffer = new byte[LongestObject];
        var length = 0;
        while (length < buffer.Length && await stream.ReadAsync(buffer.AsMemory(length), cancellationToken) is > 0 and var read)
        {
            length += read;
            int end;
            while ((end = buffer.AsSpan(0, length).IndexOf((byte)'}')) >= 0)
            {
                if (Parse(buffer.AsSpan(0, end + 1)) is { } size)
                {
                    yield return size;
                }

                buffer.AsSpan(end + 1, length - end - 1).CopyTo(buffer);
                length -= end + 1;
            }
        }
    }

    private static TerminalSize? Parse(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json);
            using var document = JsonDocument.ParseValue(ref reader);
            return document.RootElement is { ValueKind: JsonValueKind.Object } size
                && Number(size, "Width") is { } columns
                && Number(size, "Height") is { } rows
                ? new TerminalSize(columns, rows)
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static ushort? Number(JsonElement size, string name) =>
        size.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetUInt16(out var number)
            ? number
            : null;
}
