using System.Text.Json.Nodes;
using Cluster.Worker.Tests.Engine.Constraints;

namespace Cluster.Worker.Tests.Serving;

/// <summary>Requests over HTTP to the real engine.</summary>
public sealed class HaikuServerTests
{
    private const string Schema = """
        {"type": "object", "properties": {"title": {"type": "string", "maxLength": 20}, "lines": {"type": "array", "items": {"type": "string", "maxLength": 12}, "minItems": 3, "maxItems": 3},
         "mood": {"enum": ["calm", "wild"]}, "stars": {"type": "integer", "minimum": 1, "maximum": 5}}, "required": ["title", "lines", "mood", "stars"], "additionalProperties": false}
        """;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1.5)]
    public async Task An_answer_under_a_json_schema_parses_and_validates(double temperature)
    {
        await using var server = await HaikuServer.StartAsync();
        var format = $$$"""{"type": "json_schema", "json_schema": {"name": "haiku", "strict": true, "schema": {{{Schema}}}}}""";

        var (status, body) = await server.Http.PostAsync(
            "/v1/chat/completions",
            $$"""{"model": "haiku", "messages": [{"role": "user", "content": "Write a haiku about the sea"}], "temperature": {{FormattableString.Invariant($"{temperature}")}}, "seed": 3, "n": 3, "response_format": {{format}}}""");

        Assert.Equal(200, status);
        Assert.All(body["choices"]!.AsArray(), choice =>
        {
            Assert.Equal("stop", (string?)choice!["finish_reason"]);
            Assert.True(SchemaValidator.IsValid(Schema, (string)choice["message"]!["content"]!), choice.ToJsonString());
        });
    }

    [Theory]
    [InlineData("/v1/completions", "\"prompt\": \"TEXT\"")]
    [InlineData("/v1/chat/completions", "\"messages\": [{\"role\": \"user\", \"content\": \"TEXT\"}]")]
    public async Task A_text_that_no_model_could_hold_is_refused_unless_it_is_truncated(string path, string prompt)
    {
        await using var server = await HaikuServer.StartAsync();
        prompt = prompt.Replace("TEXT", new string('a', 3 << 19), StringComparison.Ordinal) + ", \"max_tokens\": 2";

        Assert.Equal(400, (await server.Http.PostAsync(path, $$"""{{{prompt}}}""")).Status);
        Assert.Equal(200, (await server.Http.PostAsync(path, $$"""{{{prompt}}, "truncate_prompt_tokens": 4}""")).Status);
    }

    [Fact]
    public async Task Every_api_writes_the_reference_text()
    {
        await using var server = await HaikuServer.StartAsync();
        foreach (var expected in HaikuServer.Expected["completions"]!.AsArray().Where(one => (string?)one!["finish_reason"] == "stop"))
        {
            var prompt = expected!["prompt"]!.ToJsonString();
            var text = (string)expected["text"]!;
            var (_, openAi) = await server.Http.PostAsync(
                "/v1/completions", $$"""{"prompt": {{prompt}}, "temperature": 0, "max_tokens": 100}""");
            var (_, vllm) = await server.Http.PostAsync("/generate", $$"""{"prompt": {{prompt}}, "temperature": 0, "max_tokens": 100}""");
            var (_, tgi) = await server.Http.PostAsync("/generate", $$$"""{"inputs": {{{prompt}}}, "parameters": {"details": true}}""");

            Assert.Equal(text, (string?)openAi["choices"]![0]!["text"]);
            Assert.Equal((string)expected["prompt"]! + text, (string?)vllm["text"]![0]);
            Assert.Equal(text, (string?)tgi["generated_text"]);
            Assert.Equal("eos_token", (string?)tgi["details"]!["finish_reason"]);
            Assert.Equal(
                text,
                string.Concat(
                    tgi["details"]!["tokens"]!.AsArray().Where(token => !(bool)token!["special"]!)
                        .Select(token => (string)token!["text"]!)));
        }
    }

    [Fact]
    public async Task A_stop_text_belongs_to_TGIs_output_and_names_its_reason()
    {
        await using var server = await HaikuServer.StartAsync();
        var expected = HaikuServer.Expected["completions"]![0]!;
        var text = (string)expected["text"]!;

        var (_, body) = await server.Http.PostAsync("/generate", new JsonObject
        {
            ["inputs"] = (string)expected["prompt"]!,
            ["parameters"] = new JsonObject { ["stop"] = new JsonArray("wake up"), ["details"] = true },
        }.ToJsonString());

        Assert.Equal(text[..(text.IndexOf("wake up", StringComparison.Ordinal) + "wake up".Length)], (string?)body["generated_text"]);
        Assert.Equal("stop_sequence", (string?)body["details"]!["finish_reason"]);
    }
}
