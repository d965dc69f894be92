using System.Text;
using Cluster.Worker.Protos.V1;
using Cluster.Worker.Tests.Serving.Grpc;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Net.Client;
using Vllm = Cluster.Worker.Protos.Vllm;

namespace Cluster.Worker.Tests.Serving.Robustness;

/// <summary>Values and texts that no sampler can use, through the real engine's own checks.</summary>
public sealed class ParameterTests(HaikuFixture fixture) : IClassFixture<HaikuFixture>
{
    public static TheoryData<string, string[]> Numbers => new()
    {
        { "temperature", ["-1", "-1e30", "1e999", "-1e999", "\"NaN\"", "true"] },
        { "top_p", ["0", "-1", "1.0001", "1e999", "\"1\""] },
        { "top_k", ["-2", "99999999999", "1.5", "1e999"] },
        { "min_p", ["-0.1", "1.1", "1e999"] },
        { "repetition_penalty", ["0", "-1", "1e999"] },
        { "presence_penalty", ["-2.1", "2.1", "1e30"] },
        { "frequency_penalty", ["-2.1", "2.1", "-1e30"] },
        { "logprobs", ["-1", "100000", "2147483648"] },
        { "max_tokens", ["0", "-1", "2147483648", "1e10", "0.5"] },
        { "min_tokens", ["-1", "100000", "2147483648"] },
        { "n", ["0", "-1", "129", "2147483648"] },
        { "best_of", ["0", "-1", "129", "2147483648"] },
        { "seed", ["1.5", "1e30", "\"1\""] },
        { "stop_token_ids", ["[-1]", "[1000000]", "[1.5]", "7"] },
        { "logit_bias", ["{\"-1\": 1}", "{\"1000000\": 1}", "{\"5\": 1e999}", "{\"5\": \"x\"}", "[1]"] },
        { "stop", ["[\"\"]", "[1]", "{}"] },
        { "ignore_eos", ["1", "\"true\""] },
    };

    [Theory]
    [MemberData(nameof(Numbers))]
    public async Task A_value_out_of_range_is_named_over_http(string field, string[] values)
    {
        foreach (var value in values)
        {
            var (status, body) = await fixture.Server.Http.PostAsync("/v1/completions", $$"""{"prompt": "x", "{{field}}": {{value}}}""");

            Assert.True(status == 400, $"{field} = {value}: {status}");
            Assert.Contains(field, (string?)body["error"]!["message"], StringComparison.Ordinal);
        }

        await fixture.Server.RequireItServesAsync();
    }

    [Theory]
    [InlineData("NaN")]
    [InlineData("Infinity")]
    [InlineData("-Infinity")]
    [InlineData("0x10")]
    [InlineData("+1")]
    public async Task A_number_that_JSON_does_not_have_is_no_JSON(string number)
    {
        var (status, body) = await fixture.Server.Http.PostAsync("/v1/completions", $$"""{"prompt": "x", "temperature": {{number}}}""");

        Assert.Equal(400, status);
        Assert.Contains("JSON", (string?)body["error"]!["message"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cluster")]
    [InlineData("vllm")]
    public async Task A_number_that_is_none_is_an_invalid_argument_over_grpc(string service)
    {
        using var channel = GrpcClients.Open(fixture.Server.Http.Server.GrpcAddress);
        var descriptor = service == "vllm" ? Vllm.SamplingParams.Descriptor : SamplingParams.Descriptor;
        foreach (var field in descriptor.Fields.InDeclarationOrder().Where(field => field.FieldType == FieldType.Float))
        {
            foreach (var value in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity, -1e30f])
            {
                IMessage sampling = service == "vllm" ? new Vllm.SamplingParams() : new SamplingParams();
                field.Accessor.SetValue(sampling, value);

                var (status, message) = await SendAsync(channel, sampling);

                Assert.True(status == StatusCode.InvalidArgument, $"{field.Name} = {value}: {status}");
                Assert.Contains(field.Name, message, StringComparison.Ordinal);
            }
        }

        foreach (var name in (string[])["top_k", "max_tokens", "min_tokens"])
        {
            IMessage sampling = service == "vllm" ? new Vllm.SamplingParams() : new SamplingParams();
            descriptor.FindFieldByName(name).Accessor.SetValue(sampling, uint.MaxValue);
            Assert.Equal(StatusCode.InvalidArgument, (await SendAsync(channel, sampling)).Status);
        }

        await fixture.Server.RequireItServesAsync();
    }

    [Fact]
    public async Task A_bias_that_is_no_number_is_an_invalid_argument()
    {
        using var channel = GrpcClients.Open(fixture.Server.Http.Server.GrpcAddress);

        Assert.Equal(
            StatusCode.InvalidArgument, (await SendAsync(channel, new SamplingParams { LogitBias = { { 5, float.NaN } } })).Status);
        Assert.Equal(
            StatusCode.InvalidArgument,
            (await SendAsync(channel, new Vllm.SamplingParams { LogitBias = { { 5, float.PositiveInfinity } } })).Status);
    }

    [Theory]
    [InlineData("/v1/completions", "{\"prompt\": \"a\u00ff\u00feb\"}")]
    [InlineData("/v1/completions", "{\"prompt\": \"\u00c0\u0080\"}")]
    [InlineData("/v1/chat/completions", "{\"messages\": [{\"role\": \"user\", \"content\": \"\u00ed\u00a0\u0080\"}]}")]
    [InlineData("/tokenize", "{\"prompt\": \"\u00f8\"}")]
    public async Task A_text_that_is_no_UTF8_is_refused_over_http(string path, string bytes)
    {
        using var response = await fixture.Server.Http.Client.PostAsync(
            path, new ByteArrayContent(Encoding.Latin1.GetBytes(bytes)) { Headers = { ContentType = new("application/json") } });

        Assert.Equal(400, (int)response.StatusCode);
        await fixture.Server.RequireItServesAsync();
    }

    [Fact]
    public async Task A_text_that_is_no_UTF8_is_refused_over_grpc()
    {
        using var client = new GrpcTestClient(fixture.Server.Http.Server.GrpcAddress);

        // Field 3, prompt, of three bytes.
        using var call = await client.SendAsync(
            "/cluster.v1.TextGeneration/Generate", GrpcTestClient.Frame([0x1a, 3, (byte)'a', 0xff, 0xfe]));
        await call.ReadFramesAsync();

        Assert.Equal((StatusCode.InvalidArgument, "request message is not valid: String is invalid UTF-8."), call.Status);
        await fixture.Server.RequireItServesAsync();
    }

    public static TheoryData<string> Deep => new()
    {
        new string('[', 100_000),
        string.Concat(Enumerable.Repeat("{\"a\":", 100_000)),
        $"{{\"prompt\": {new string('[', 200)}{new string(']', 200)}}}",
        $"{{\"prompt\": \"x\", \"guided_json\": {string.Concat(Enumerable.Repeat("{\"items\":", 200))}{{}}{new string('}', 200)}}}",
        $"{{\"prompt\": \"x\", \"guided_json\": \"{string.Concat(Enumerable.Repeat("{\\\"items\\\":", 200))}{{}}{new string('}', 200)}\"}}",
        $"{{\"prompt\": \"x\", \"guided_regex\": \"{new string('(', 100_000)}\"}}",
    };

    [Theory]
    [MemberData(nameof(Deep))]
    public async Task Nesting_without_end_is_refused(string json)
    {
        var (status, body) = await fixture.Server.Http.PostAsync("/v1/completions", json);

        Assert.Equal((400, "invalid_request_error"), (status, (string?)body["error"]!["type"]));
        await fixture.Server.RequireItServesAsync();
    }

    private static Task<(StatusCode Status, string Message)> SendAsync(GrpcChannel channel, IMessage sampling) =>
        sampling is Vllm.SamplingParams vllm
        ? new Vllm.VllmEngine.VllmEngineClient(channel).Generate(new Vllm.GenerateRequest { Text = "x", SamplingParams = vllm }).FailAsync()
        : new TextGeneration.TextGenerationClient(channel)
            .GenerateAsync(new GenerateRequest { Prompt = "x", Sampling = (SamplingParams)sampling }).FailAsync();
}
