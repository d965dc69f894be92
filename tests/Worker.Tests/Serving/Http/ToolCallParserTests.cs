using Cluster.Worker.Serving.Http;

namespace Cluster.Worker.Tests.Serving.Http;

public sealed class ToolCallParserTests
{
    private const string Weather = """<tool_call>{"name": "weather", "arguments": {"city": "Zürich", "days": [1, 2]}}</tool_call>""";

    [Theory]
    [InlineData("plain text\n", "plain text\n", "")]
    [InlineData("a < b and <tool", "a < b and <tool", "")]
    [InlineData(Weather, "", """weather({"city": "Zürich", "days": [1, 2]})""")]
    [InlineData(
        "Let me see.\n\n" + Weather + "\n" + Weather, "Let me see.",
        """weather({"city": "Zürich", "days": [1, 2]});weather({"city": "Zürich", "days": [1, 2]})""")]
    [InlineData("<tool_call>\n{\"name\": \"now\"}\n</tool_call>\n", "", "now({})")]
    [InlineData("""<tool_call>{"name": "now", "arguments": {}}""", "", "now({})")]
    [InlineData("""<tool_call>{"name": "now", "argum""", """<tool_call>{"name": "now", "argum""", "")]
    [InlineData("<tool_call>nonsense</tool_call> so", "<tool_call>nonsense</tool_call> so", "")]
    [InlineData("""<tool_call>{"name": 1}</tool_call>""", """<tool_call>{"name": 1}</tool_call>""", "")]
    [InlineData("""<tool_call>{"name": "\ud800"}</tool_call>""", """<tool_call>{"name": "\ud800"}</tool_call>""", "")]
    public void Calls_are_found_however_the_text_is_cut(string output, string content, string calls)
    {
        for (var size = 1; size <= output.Length; size++)
        {
            var parser = new ToolCallParser();
            var text = "";
            var found = new List<ToolCall>();
            for (var start = 0; start < output.Length; start += size)
            {
                Take(parser.Add(output.Substring(start, Math.Min(size, output.Length - start)), ended: false));
            }

            Take(parser.Add("", ended: true));

            Assert.Equal(content, text);
            Assert.Equal(calls, string.Join(';', found.Select(call => $"{call.Function.Name}({call.Function.Arguments})")));
            Assert.Equal(Enumerable.Range(0, found.Count), found.Select(call => call.Index!.Value));
            Assert.Equal(found.Count > 0, parser.StopsForCalls);

            void Take(ParsedOutput parsed)
            {
                text += parsed.Content;
                found.AddRange(parsed.Calls);
            }
        }
    }

    [Fact]
    public void Text_that_cannot_be_a_call_is_not_held_back() =>
    Assert.Equal("a <b", new ToolCallParser().Add("a <b", ended: false).Content);

    [Fact]
    public void Only_one_call_is_made_where_only_one_is_wanted() =>
    Assert.Single(new ToolCallParser(maxCalls: 1).Add(Weather + Weather, ended: true).Calls);
}
