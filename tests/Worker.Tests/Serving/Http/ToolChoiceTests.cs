using System.Text.Json.Nodes;
using Cluster.Worker.Tests.Engine.Constraints;

namespace Cluster.Worker.Tests.Serving.Http;

public sealed class ToolChoiceTests
{
    private const string Path = "/v1/chat/completions";
    private const string Parameters =
        """{"type": "object", "properties": {"city": {"$ref": "#/$defs/place"}, "days": {"type": "integer", "minimum": 1, "maximum": 9}}, "required": ["city", "days"], "additionalProperties": false, "$defs": {"place": {"enum": ["Bern", "Ulm"]}}}""";
    private const string Tools =
        $$$"""[{"type": "function", "function": {"name": "now"}}, {"type": "function", "function": {"name": "weather", "parameters": {{{Parameters}}}}}]""";
    private const string Named = """{"type": "function", "function": {"name": "weather"}}""";

    [Fact]
    public async Task A_call_named_has_the_output_as_its_arguments()
    {
        var engine = new FakeEngine { Reply = _ => """{"city": "Ulm", "days": 2}""" };
        await using var server = await HttpTestServer.StartAsync(engine);

        var (_, body) = await server.PostAsync(Path, Request(Named));

        var choice = body["choices"]![0]!;
        var call = Assert.Single(choice["message"]!["tool_calls"]!.AsArray())!;
        Assert.Equal(
            ("weather", """{"city": "Ulm", "days": 2}"""), ((string?)call["function"]!["name"], (string?)call["function"]!["arguments"]));
        Assert.Equal("stop", (string?)choice["finish_reason"]);
        Assert.True(
            JsonNode.DeepEquals(JsonNode.Parse(Parameters), JsonNode.Parse(Assert.Single(engine.Requests).Sampling.Constraint!.Text)));
    }

    [Fact]
    public async Task Calls_that_are_required_stop_for_them()
    {
        await using var server = await HttpTestServer.StartAsync(
            new FakeEngine
            {
                Reply = _ => """[{"name": "now", "arguments": {}}, {"name": "weather", "arguments": {"city": "Ulm", "days": 2}}]"""
            });

        var (_, body) = await server.PostAsync(Path, Request("\"required\""));
        var events = await server.StreamAsync(Path, Request("\"required\"", ", \"stream\": true"));

        Assert.Equal("tool_calls", (string?)body["choices"]![0]!["finish_reason"]);
        Assert.Equal(
            ["now", "weather"],
            body["choices"]![0]!["message"]!["tool_calls"]!.AsArray().Select(call => (string)call!["function"]!["name"]!));
        Assert.Equal([0, 1], events[^2]["choices"]![0]!["delta"]!["tool_calls"]!.AsArray().Select(call => (int)call!["index"]!));
        Assert.Equal("tool_calls", (string?)events[^1]["choices"]![0]!["finish_reason"]);
    }

    [Fact]
    public async Task Calls_cut_short_are_given_out_as_text()
    {
        await using var server = await HttpTestServer.StartAsync(new FakeEngine { Reply = _ => """[{"name": "now", "arguments": {}}]""" });

        var (_, body) = await server.PostAsync(Path, Request("\"required\"", ", \"max_tokens\": 10"));

        Assert.Equal(
            ("[{\"name\": ", "length"),
            ((string?)body["choices"]![0]!["message"]!["content"], (string?)body["choices"]![0]!["finish_reason"]));
    }

    [Theory]
    [InlineData("\"required\"", false)]
    [InlineData(Named, true)]
    public async Task The_real_engine_keeps_to_what_is_demanded(string choice, bool named)
    {
        await using var server = await HaikuServer.StartAsync();

        var (status, body) = await server.Http.PostAsync(
            Path, Request(choice, ", \"parallel_tool_calls\": false, \"n\": 4, \"seed\": 1, \"temperature\": 1.3"));

        Assert.Equal(200, status);
        Assert.All(body["choices"]!.AsArray(), answer =>
        {
            var function = Assert.Single(answer!["message"]!["tool_calls"]!.AsArray())!["function"]!;
            var isWeather = (string?)function["name"] == "weather";
            Assert.True(isWeather || !named);
            Assert.True(
                isWeather ? SchemaValidator.IsValid(Parameters, (string)function["arguments"]!) : (string?)function["arguments"] == "{}",
                function.ToJsonString());
        });
    }

    private static string Request(string choice, string more = "") =>
        $$"""{"messages": [{"role": "user", "content": "x"}], "tools": {{Tools}}, "tool_choice": {{choice}}{{more}}}""";
}
