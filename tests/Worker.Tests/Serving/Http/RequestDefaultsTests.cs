using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Serving.Http;

/// <summary>What requests have that do not say it.</summary>
public sealed class RequestDefaultsTests
{
    private static readonly SamplingDefaults Served = new()
    {
        Temperature = 0.6f,
        TopK = 20,
        TopP = 0.95f,
        MinP = 0.05f,
        RepetitionPenalty = 1.05f,
        MaxTokens = 9,
    };

    [Theory]
    [InlineData("/v1/completions", "\"prompt\": \"x\"")]
    [InlineData("/v1/chat/completions", "\"messages\": [{\"role\": \"user\", \"content\": \"x\"}]")]
    [InlineData("/generate", "\"prompt\": \"x\"")]
    public async Task Fields_that_are_absent_or_null_have_the_served_values(string path, string request)
    {
        var engine = new FakeEngine();
        await using var server = await StartAsync(engine, Served);

        await server.PostAsync(path, $$"""{ {{request}}, "temperature": null }""");
        await server.PostAsync(path, $$"""
            { {{request}}, "temperature": 1, "top_k": 0, "top_p": 1, "min_p": 0, "repetition_penalty": 1, "max_tokens": 30 }
            """);

        Assert.Equal((0.6f, 20, 0.95f, 0.05f, 1.05f, 9), Values(engine.Requests.First().Sampling));
        Assert.Equal((1, 0, 1, 0, 1, 30), Values(engine.Requests.Last().Sampling));
    }

    [Fact]
    public async Task A_limit_bounds_what_requests_ask_for()
    {
        var engine = new FakeEngine();
        await using var server = await StartAsync(engine, new SamplingDefaults { MaxTokens = 9, MaxTokensLimit = 9 });

        await server.PostAsync("/v1/completions", """{"prompt": "x", "max_tokens": 30}""");
        await server.PostAsync("/v1/completions", """{"prompt": "x", "max_tokens": 3}""");
        await server.PostAsync("/v1/chat/completions", """{"messages": [{"role": "user", "content": "x"}]}""");

        Assert.Equal([9, 3, 9], engine.Requests.Select(one => one.Sampling.MaxTokens));
    }

    [Fact]
    public async Task A_beam_search_draws_nothing_whatever_is_served()
    {
        var engine = new FakeEngine();
        await using var server = await StartAsync(engine, Served);

        await server.PostAsync("/v1/completions", """{"prompt": "x", "use_beam_search": true, "n": 2}""");

        Assert.Equal((0, 0, 1, 0, 1.05f, 9), Values(engine.Requests.Single().Sampling));
    }

    [Fact]
    public async Task TGI_stays_greedy_and_samples_as_served_where_it_is_asked_to()
    {
        var engine = new FakeEngine();
        await using var server = await StartAsync(engine, Served);

        await server.PostAsync("/generate", """{"inputs": "x"}""");
        await server.PostAsync("/generate", """{"inputs": "x", "parameters": {"do_sample": true, "top_k": 3}}""");

        Assert.Equal((0, 0, 1, 0, 1.05f, 9), Values(engine.Requests.First().Sampling));
        Assert.Equal((0.6f, 3, 0.95f, 0.05f, 1.05f, 9), Values(engine.Requests.Last().Sampling));
    }

    private static (float, int, float, float, float, int?) Values(SamplingParameters sampling) =>
        (sampling.Temperature, sampling.TopK, sampling.TopP, sampling.MinP, sampling.RepetitionPenalty, sampling.MaxTokens);

    private static async Task<HttpTestServer> StartAsync(FakeEngine engine, SamplingDefaults served)
    {
        var server = await HttpTestServer.StartAsync(ready: false);
        server.BecomeReady(engine, defaults: served);
        return server;
    }
}
