
namespace Cluster.Worker.Tests.Serving.Http;

public sealed class StructuredOutputTests
{
    [Theory]
    [InlineData(
        "\"response_format\": {\"type\": \"json_schema\", \"json_schema\": {\"name\": \"n\", \"strict\": true, \"schema\": {\"type\": "
        + "\"object\"}}}", "json_schema", """{"type": "object"}""")]
    [InlineData("\"response_format\": {\"type\": \"json_object\"}", "json_object", "")]
    [InlineData("\"guided_json\": {\"type\": \"null\"}", "json_schema", """{"type": "null"}""")]
    [InlineData("\"guided_json\": \"{}\"", "json_schema", "{}")]
    [InlineData("\"guided_regex\": \"a+\"", "regex", "a+")]
    [InlineData("\"guided_choice\": [\"a\", \"b\"]", "choice", """["a","b"]""")]
    [InlineData("\"structured_outputs\": {\"choice\": [\"a\", \"b\"]}", "choice", """["a","b"]""")]
    [InlineData("\"structured_outputs\": {\"json\": {}}", "json_schema", "{}")]
    [InlineData("\"structured_outputs\": {\"json_object\": true}", "json_object", "")]
    public async Task The_field_reaches_the_engine(string field, string kind, string text)
    {
        var engine = new FakeEngine();
        await using var server = await HttpTestServer.StartAsync(engine);

        var (status, _) = await server.PostAsync(
            "/v1/chat/completions", $$"""{"messages": [{"role": "user", "content": "x"}], {{field}}}""");

        Assert.Equal(200, status);
        var constraint = Assert.Single(engine.Requests).Sampling.Constraint!;
        Assert.Equal((kind, text), (constraint.Parameter, constraint.Text));
    }

    [Fact]
    public async Task The_format_text_leaves_the_output_free()
    {
        var engine = new FakeEngine();
        await using var server = await HttpTestServer.StartAsync(engine);

        await server.PostAsync("/v1/completions", """{"prompt": "x", "response_format": {"type": "text"}}""");

        Assert.Null(Assert.Single(engine.Requests).Sampling.Constraint);
    }
}
