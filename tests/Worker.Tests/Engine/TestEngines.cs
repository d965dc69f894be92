using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Engine;

/// <summary>Engines over a <see cref="FakeModelRunner"/> and what they are asked.</summary>
internal static class TestEngines
{
    public const int Vocab = 64;
    public static readonly SamplingParameters Greedy = new() { Temperature = 0, MaxTokens = 10, IgnoreEos = true };
    public static readonly SamplingParameters Endless = Greedy with { MaxTokens = null };
    public static readonly int[] Prompt = [5, 6, 7, 8, 9];

    public static FakeModelRunner Runner(int maxModelLength = 250, int numBlocks = 1000) => new(Vocab, 4, numBlocks, maxModelLength);

    /// <summary>With room for requests that never end by themselves while a test looks at them.</summary>
    public static FakeModelRunner EndlessRunner() => Runner(maxModelLength: 100_000, numBlocks: 30_000);

    public static LlmEngine NewEngine(FakeModelRunner runner, EngineOptions? options = null) =>
        new(runner, new ByteTokenizer(), options ?? new EngineOptions(), TimeProvider.System);

    public static GenerationRequest Request(SamplingParameters sampling, int[]? prompt = null) =>
        new(Guid.NewGuid().ToString(), prompt ?? Prompt, sampling);

    public static Task<Generation> RunAsync(LlmEngine engine, SamplingParameters sampling, int[]? prompt = null) =>
        Generation.CollectAsync(engine.GenerateAsync(Request(sampling, prompt), CancellationToken.None));
}
