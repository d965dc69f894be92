using Cluster.Worker.Serving.Parsing;

namespace Cluster.Worker.Tests.Serving.Parsing;

public sealed class OutputParserTests(ITestOutputHelper log)
{
    private const string Weather = """<tool_call>{"name": "weather", "arguments": {"city": "Zürich", "days": [1, 2]}}</tool_call>""";

    private static readonly IReadOnlyList<OutputSample> Samples = [.. ToolCallSamples.All, .. ReasoningSamples.All];

    public static TheoryData<string> Titles => [.. Samples.Select(sample => sample.ToString())];

    [Theory, MemberData(nameof(Titles))]
    public void A_whole_output_is_the_message_that_was_meant(string title)
    {
        var sample = Of(title);

        var message = Read(sample, [sample.Text]);

        Assert.Equal(sample.Content, message.Content);
        Assert.Equal(sample.Reasoning, message.Reasoning);
        Assert.Equal(sample.Calls, message.Calls);
        Assert.Equal(sample.Ids.Count > 0 ? sample.Ids : message.Ids, message.Ids);
        Assert.Equal(message.Ids.Count, message.Ids.Distinct().Count());
    }

    [Theory, MemberData(nameof(Titles))]
    public void Pieces_add_up_to_the_same_message_wherever_the_output_is_cut(string title)
    {
        var sample = Of(title);
        var whole = Read(sample, [sample.Text]);
        var numCuts = 0;
        for (var cut = 1; cut < sample.Text.Length; cut++)
        {
            AssertSame(whole, Read(sample, [sample.Text[..cut], sample.Text[cut..]]));
            numCuts++;
        }

        for (var size = 1; size <= Math.Min(40, sample.Text.Length); size++)
        {
            AssertSame(whole, Read(sample, sample.Text.Chunk(size).Select(piece => new string(piece))));
        }

        var random = new Random(title.Length);
        for (var i = 0; i < 50; i++)
        {
            AssertSame(whole, Read(sample, Cut(sample.Text, random)));
        }

        log.WriteLine($"{title}: {numCuts} cuts, {Math.Min(40, sample.Text.Length)} sizes, 50 random ways");
    }

    /// <summary>Texts that were never a model's: marks of all formats, torn and in any order.</summary>
    [Theory]
    [InlineData("hermes")]
    [InlineData("llama3_json")]
    [InlineData("pythonic")]
    [InlineData("mistral")]
    [InlineData("qwen3_coder")]
    [InlineData("glm45")]
    [InlineData("deepseek_v3")]
    [InlineData("kimi_k2")]
    [InlineData("granite")]
    [InlineData("openai")]
    public void Torn_outputs_are_the_same_however_they_are_cut(string format)
    {
        var random = new Random(7);
        string[] own = [.. ToolCallSamples.All.Where(sample => sample.Tools == format).Select(sample => sample.Text)];
        for (var i = 0; i < 600; i++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(1, 6)).Select(_ =>
            {
                var from = own[random.Next(own.Length)];
                var start = random.Next(from.Length);
                return from.Substring(start, random.Next(from.Length - start + 1));
            }));
            var sample = new OutputSample("torn", format, text, "");

            var whole = Read(sample, [text]);

            AssertSame(whole, Read(sample, text.Select(c => c.ToString())));
            AssertSame(whole, Read(sample, Cut(text, random)));
        }
    }

    [Theory]
    [InlineData("hermes", "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"")]
    [InlineData("mistral", "[TOOL_CALLS]f[ARGS]{\"a\": \"")]
    [InlineData("kimi_k2", "<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{\"a\": \"")]
    [InlineData("deepseek_v3", "<｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"a\": \"")]
    [InlineData("openai", "<|channel|>commentary to=functions.f<|message|>{\"a\": \"")]
    public void Arguments_leave_as_they_come(string format, string begin)
    {
        var parser = new OutputSample("", format, "", "").CreateParser();

        Assert.Equal(
            [(PieceKind.CallStart, "f"), (PieceKind.CallArguments, "{\"a\": \"")],
            parser.Add(begin, ended: false).Select(piece => (piece.Kind, piece.Text)));
        Assert.Equal("some text", Assert.Single(parser.Add("some text", ended: false)).Text);
    }

    [Fact]
    public void Text_that_cannot_be_a_call_is_not_held_back() =>
        Assert.Equal("a <b", Assert.Single(new OutputSample("", "hermes", "", "").CreateParser().Add("a <b", ended: false)).Text);

    [Fact]
    public void Only_one_call_is_made_where_only_one_is_wanted()
    {
        var pieces = new OutputSample("", "hermes", "", "").CreateParser(maxCalls: 1).Add(Weather + Weather, ended: true);

        Assert.Equal([PieceKind.CallStart, PieceKind.CallArguments], pieces.Select(piece => piece.Kind));
    }

    [Fact]
    public void Mistral_gets_ids_that_its_templates_take()
    {
        var call = new OutputSample("", "mistral", "", "").CreateParser().Add("[TOOL_CALLS]now{}", ended: true)[0];

        Assert.Matches("^[a-zA-Z0-9]{9}$", call.Id);
    }

    /// <summary>A long argument that comes in small pieces is looked at a fixed number of times.</summary>
    [Theory]
    [InlineData("hermes", """<tool_call>{"arguments": {"text": "{0}"}, "name": "f"}</tool_call>""")]
    [InlineData("qwen3_coder", "<tool_call><function=write_file><parameter=text>{0}</parameter></function></tool_call>")]
    [InlineData("glm45", "<tool_call>write_file<arg_key>text</arg_key><arg_value>{0}</arg_value></tool_call>")]
    [InlineData("pythonic", "[write_file(text='{0}')]")]
    public void A_long_argument_arrives_whole(string format, string shape)
    {
        var argument = string.Concat(Enumerable.Repeat("x < y & z; ", 20_000));
        var text = shape.Replace("{0}", argument, StringComparison.Ordinal);

        var message = Read(new OutputSample("", format, text, ""), text.Chunk(3).Select(piece => new string(piece)));

        Assert.Contains(argument, Assert.Single(message.Calls), StringComparison.Ordinal);
    }

    private static OutputSample Of(string title) => Samples.Single(sample => sample.ToString() == title);

    /// <summary>Ids are drawn.</summary>
    private static void AssertSame(Message whole, Message cut)
    {
        Assert.Equal((whole.Content, whole.Reasoning), (cut.Content, cut.Reasoning));
        Assert.Equal(whole.Calls, cut.Calls);
    }

    private static IEnumerable<string> Cut(string text, Random random)
    {
        for (var at = 0; at < text.Length;)
        {
            var length = Math.Min(random.Next(1, 12), text.Length - at);
            yield return text.Substring(at, length);
            at += length;
        }
    }

    private static Message Read(OutputSample sample, IEnumerable<string> texts)
    {
        var parser = sample.CreateParser();
        List<OutputPiece> pieces = [];
        foreach (var text in texts)
        {
            pieces.AddRange(parser.Add(text, ended: false));
        }

        pieces.AddRange(parser.Add("", ended: true));
        string Text(PieceKind kind, int call = 0) =>
            string.Concat(pieces.Where(piece => piece.Kind == kind && piece.Call == call).Select(piece => piece.Text));
        var starts = pieces.Where(piece => piece.Kind == PieceKind.CallStart).ToList();
        Assert.Equal(Enumerable.Range(0, starts.Count), starts.Select(start => start.Call));
        Assert.Equal(starts.Count > 0, parser.StopsForCalls);
        Assert.DoesNotContain(pieces, piece => piece.Text.Length == 0);
        return new Message(
            Text(PieceKind.Content), Text(PieceKind.Reasoning),
            [.. starts.Select((start, index) => $"{start.Text}({Text(PieceKind.CallArguments, index)})")],
            [.. starts.Select(start => start.Id!)]);
    }

    private sealed record Message(string Content, string Reasoning, IReadOnlyList<string> Calls, IReadOnlyList<string> Ids);
}
