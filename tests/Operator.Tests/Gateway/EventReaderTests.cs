using System.Text;
using System.Text.Json;
using Cluster.Operator.Gateway.Relay;

namespace Cluster.Operator.Tests.Gateway;

/// <summary>Streams of workers, cut anywhere.</summary>
public sealed class EventReaderTests
{
    private const string Stream =
        ": cluster 0\ndata: {\"a\":1}\n\n"
        + ": cluster 1 15,27 cached=32\ndata: {\"b\":\"é — \\n\"}\n\n"
        + ": keep-alive\n\n"
        + ": cluster 0 3\nevent: x\ndata: {\"c\":3}\n\n"
        + ": cluster -\ndata: {\"usage\":{}}\n\n"
        + "data: {\"error\":{\"message\":\"m\"}}\n\n"
        + ": cluster -\ndata: [DONE]\n\n";

    [Fact]
    public void Events_are_the_same_however_the_bytes_come()
    {
        var whole = Read(Encoding.UTF8.GetBytes(Stream), lines: false, _ => int.MaxValue);
        var random = new Random(20260101);
        for (var run = 0; run < 500; run++)
        {
            var most = 1 + (run % 40);
            Assert.Equal(whole, Read(Encoding.UTF8.GetBytes(Stream), lines: false, _ => random.Next(1, most + 1)));
        }

        Assert.Equal(
            [
                "Part 0: |data: {\"a\":1}\n\n",
                "Part 1:15,27 32|data: {\"b\":\"é — \\n\"}\n\n",
                "Part none|: keep-alive\n\n",
                "Part 0:3 |event: x\ndata: {\"c\":3}\n\n",
                "Part -|data: {\"usage\":{}}\n\n",
                "Error none|data: {\"error\":{\"message\":\"m\"}}\n\n",
                "Done -|data: [DONE]\n\n",
            ],
            whole);
    }

    [Fact]
    public void Lines_of_JSON_are_events_too()
    {
        const string Lines = ": cluster 0 1\n{\"text\":[\"a\"]}\n: cluster 0 2,3\n{\"text\":[\"ab\"]}\n{\"error\":\"x\"}\n";
        for (var size = 1; size < 20; size++)
        {
            Assert.Equal(
                ["Part 0:1 |{\"text\":[\"a\"]}\n", "Part 0:2,3 |{\"text\":[\"ab\"]}\n", "Error none|{\"error\":\"x\"}\n"],
                Read(Encoding.UTF8.GetBytes(Lines), lines: true, _ => size));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("x")]
    [InlineData("-1 3")]
    [InlineData("0 x")]
    [InlineData("0 1,")]
    [InlineData("0 1,,2")]
    [InlineData("0 1 2")]
    [InlineData("0 cached=")]
    [InlineData("0 cached=1 cached=2")]
    [InlineData("0 99999999999")]
    [InlineData("4096 1")]
    [InlineData("- 1")]
    [InlineData("0 -5")]
    public void A_mark_that_is_none_is_told_so(string mark) =>
        Assert.Throws<GarbledReplyException>(() => MarkLine.Read(Encoding.UTF8.GetBytes(": cluster " + mark)));

    [Fact]
    public void Random_bytes_are_read_or_refused_in_the_way_that_is_declared()
    {
        var random = new Random(7);
        var pieces = new[] { ": cluster ", "0 ", "1,2", "\n", "\n\n", "data: ", "{\"error\":", "[DONE]", "cached=", "-", "é", "\0", " " };
        for (var run = 0; run < 20_000; run++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(12)).Select(_ => pieces[random.Next(pieces.Length)]));
            var bytes = Encoding.UTF8.GetBytes(text);
            try
            {
                var events = Read(bytes, lines: run % 2 == 0, _ => random.Next(1, 9));
                Assert.DoesNotContain(events, one => one.Contains("|: cluster ", StringComparison.Ordinal));
            }
            catch (GarbledReplyException)
            {
                // Declared.
            }
        }
    }

    [Fact]
    public void An_event_without_end_is_refused()
    {
        var reader = new EventReader(lines: false);
        Assert.Throws<GarbledReplyException>(() =>
        {
            while (!reader.TryRead(out _))
            {
                var room = reader.Room();
                room.Span.Fill((byte)'a');
                reader.Added(room.Length);
            }
        });
    }

    [Fact]
    public void Progress_is_written_as_the_worker_reads_it()
    {
        var progress = new StreamProgress();
        progress.Add(new EventMark(0, [], null));
        progress.Add(new EventMark(1, [], null));
        progress.Add(new EventMark(0, [15, 27], 32));
        progress.Add(new EventMark(0, [], 99));
        progress.Add(new EventMark(null, [], null));

        var envelope = new RequestEnvelope("abc", 1764500000, 123, "key").Write(progress, "{\"model\": \"haiku\"}"u8);

        Assert.Equal(
            "{\"id\":\"abc\",\"created\":1764500000,\"seed\":123,\"keyId\":\"key\",\"choices\":[{\"tokens\":[15,27],\"events\":3,"
            + "\"cachedTokens\":32},{\"tokens\":[],\"events\":1}],\"trailing\":1,\"request\":{\"model\": \"haiku\"}}",
            Encoding.UTF8.GetString(envelope));
        Assert.Equal(JsonValueKind.Object, JsonDocument.Parse(envelope).RootElement.GetProperty("request").ValueKind);
    }

    private static List<string> Read(byte[] bytes, bool lines, Func<int, int> next)
    {
        var reader = new EventReader(lines);
        List<string> events = [];
        for (var at = 0; at < bytes.Length;)
        {
            var room = reader.Room();
            var count = Math.Min(Math.Min(next(at), room.Length), bytes.Length - at);
            bytes.AsMemory(at, count).CopyTo(room);
            reader.Added(count);
            at += count;
            while (reader.TryRead(out var one))
            {
                var mark = one.Mark is not { } known ? "none"
                    : known.Choice is null ? "-"
                    : $"{known.Choice}:{string.Join(',', known.Tokens)} {known.Cached}";
                events.Add($"{one.Kind} {mark}|{Encoding.UTF8.GetString(one.Bytes.Span)}");
            }
        }

        return events;
    }
}
