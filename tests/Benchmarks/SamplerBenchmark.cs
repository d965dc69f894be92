using System.Globalization;
using Cluster.Worker.Benchmarking;
using Cluster.Worker.Engine;
using Spectre.Console;

namespace Cluster.Benchmarks;

/// <summary>What choosing one token costs, by sampling parameters, over rows of normally distributed logits: a flat distribution, the worst
/// case, and one as peaked as a trained model's.</summary>
internal static class SamplerBenchmark
{
    private const int VocabSize = 128_256;

    /// <summary>Enough for the compiler to have optimized everything.</summary>
    private const int WarmUps = 200;

    private static readonly (string Name, SamplingParameters Sampling)[] Cases =
    [
        ("greedy", new() { Temperature = 0 }),
        ("temperature", new()),
        ("top_k 40", new() { TopK = 40 }),
        ("top_p 0.9", new() { TopP = 0.9f }),
        ("top_k 40, top_p 0.9", new() { TopK = 40, TopP = 0.9f }),
        ("min_p 0.05", new() { MinP = 0.05f }),
        ("20 logprobs", new() { Temperature = 0, Logprobs = 20 }),
    ];

    public static void Run()
    {
        var table = new Table().AddColumns("sampling", "flat (σ = 1)", "peaked (σ = 4)");
        foreach (var (name, sampling) in Cases)
        {
            table.AddRow(name, Measure(sampling, 1), Measure(sampling, 4));
        }

        Console.WriteLine($"one token of a vocabulary of {VocabSize}:");
        AnsiConsole.Write(table);
    }

    private static string Measure(SamplingParameters sampling, float deviation)
    {
        var random = new Random(1);
        var sampler = new Sampler(VocabSize);
        var logits = Enumerable.Range(0, VocabSize)
            .Select(
                _ => deviation * (float)Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * MathF.Cos(2 * MathF.PI * random.NextSingle()))
                .ToArray();
        var state = new SamplingState(sampling, [1], 1, []);
        for (var i = 0; i < WarmUps; i++)
        {
            Draw();
        }

        return string.Create(CultureInfo.InvariantCulture, $"{1e6 * BestTime.Of(Draw):F0} µs");

        void Draw()
        {
            var token = sampler.Sample(logits, state);
            if (sampling.Logprobs is { } count)
            {
                sampler.Logprobs(logits, token, count);
            }
        }
    }
}
