using System.Globalization;
using Cluster.Operator.Api;
using Cluster.Operator.Reconciling.Sizing;

namespace Cluster.Operator.Tests.Reconciling.Sizing;

/// <summary>The advice for published models on AMD's accelerators, planned for requests of 8192 tokens (BLOOM: 2048, Yi: 4096, their
/// limits).</summary>
public sealed class SizingTableTests
{
    private const int Context = 8192;

    private static readonly (string Name, GpuClass Gpus)[] Machines =
    [
        ("8 x MI300X 192 GB", new GpuClass(192L << 30, 8)),
        ("8 x MI325X 256 GB", new GpuClass(256L << 30, 8)),
        ("4 x MI250 2 x 64 GB", new GpuClass(64L << 30, 8)),
        ("4 x MI210 64 GB", new GpuClass(64L << 30, 4)),
    ];

    /// <summary>Model, and for each machine the degree for throughput and for latency; <c>-</c> where it does not fit.</summary>
    private static readonly (string Model, string[] Expected)[] Table =
    [
        ("Llama-3.1-8B", ["1/8", "1/8", "1/8", "1/4"]),
        ("Llama-3.1-8B FP8", ["1/8", "1/8", "1/8", "1/4"]),
        ("Llama-3.1-70B", ["1/8", "1/8", "4/8", "4/4"]),
        ("Llama-3.1-70B FP8", ["1/8", "1/8", "2/8", "2/4"]),
        ("Llama-3.1-405B", ["8/8", "4/8", "-/-", "-/-"]),
        ("Llama-3.1-405B FP8", ["4/8", "2/8", "8/8", "-/-"]),
        ("Qwen2-7B", ["1/4", "1/4", "1/4", "1/4"]),
        ("Yi-34B", ["1/8", "1/8", "2/8", "2/4"]),
        ("Mixtral-8x7B", ["1/8", "1/8", "2/8", "2/4"]),
        ("BLOOM-176B", ["4/8", "2/8", "8/8", "-/-"]),
        ("DeepSeek-V3", ["4/8", "4/8", "-/-", "-/-"]),
        ("DeepSeek-R1", ["4/8", "4/8", "-/-", "-/-"]),
        ("Kimi-K2", ["8/8", "8/8", "-/-", "-/-"]),
        ("gpt-oss-20b", ["1/8", "1/8", "1/8", "1/4"]),
        ("gpt-oss-120b", ["1/8", "1/8", "2/8", "2/4"]),
        ("Llama-4-Scout", ["2/8", "1/8", "4/8", "4/4"]),
        ("Llama-4-Maverick", ["8/8", "4/8", "-/-", "-/-"]),
        ("Llama-4-Maverick-FP8", ["4/8", "2/8", "8/8", "-/-"]),
        ("Qwen3-235B-A22B", ["4/8", "2/8", "-/8", "-/-"]),
        ("Qwen3-235B-A22B-FP8", ["2/8", "1/8", "8/8", "-/4"]),
        ("GLM-4.5", ["4/8", "4/8", "-/-", "-/-"]),
        ("GLM-4.5-Air", ["2/8", "1/8", "4/8", "4/4"]),
        ("MiniMax-M2", ["2/8", "1/8", "4/8", "4/4"]),
        ("Gemma-3-27B", ["1/8", "1/8", "2/8", "2/4"]),
        ("Phi-4", ["1/5", "1/5", "1/5", "1/2"]),
        ("Mistral-Small-3.2", ["1/8", "1/8", "1/8", "1/4"]),
    ];

    public static TheoryData<string, string, string> Cells =>
        [.. Table.SelectMany(
            row => row.Expected.Select((expected, i) => new TheoryDataRow<string, string, string>(row.Model, Machines[i].Name, expected)))];

    [Theory, MemberData(nameof(Cells))]
    public void Advises_what_a_person_would(string model, string machine, string expected)
    {
        var gpus = Machines.Single(m => m.Name == machine).Gpus;
        var throughput = Advise(model, gpus, OptimizeFor.Throughput);
        var latency = Advise(model, gpus, OptimizeFor.Latency);
        Assert.True(expected == $"{Degree(throughput)}/{Degree(latency)}", $"{throughput.Message}\n{latency.Message}");

        // An advice holds what it promises: what is asked for fits, and a smaller degree does not, or makes no more replicas of a node.
        Assert.All(new[] { throughput, latency }, advice =>
        {
            Assert.Equal(advice.TensorParallelSize is not null, advice.Alternatives!.Exists(a => a.Fits));
            Assert.True(
                advice.TensorParallelSize is null || advice.KvCacheTokens >= (long)advice.ContextTokens! * advice.ContextSequences!);
        });

        Assert.All(throughput.Alternatives!, a => Assert.Equal(
            throughput.TensorParallelSize is { } chosen
                && (a.TensorParallelSize >= chosen || gpus.GroupSize / a.TensorParallelSize == gpus.GroupSize / chosen),
            a.Fits));
    }

    [Theory, MemberData(nameof(Cells))]
    public void The_documents_show_the_same_table(string model, string machine, string expected)
    {
        var advice = Advise(model, Machines.Single(m => m.Name == machine).Gpus, OptimizeFor.Throughput);
        var cells = Documented(model);
        Assert.Equal([ByteText.Of(advice.WeightBytes!.Value), ByteText.Of(advice.KvBytesPerToken!.Value)], cells[..2]);
        var cell = cells[2 + Array.FindIndex(Machines, m => m.Name == machine)];

        if (advice.TensorParallelSize is null)
        {
            Assert.StartsWith($"{ByteText.Of(advice.Alternatives![^1].MissingBytesPerGpu!.Value)} ", cell, StringComparison.Ordinal);
        }
        else
        {
            Assert.Equal(expected.Replace("/", "; ", StringComparison.Ordinal), cell);
        }
    }

    /// <summary>The cells of a model's row.</summary>
    private static string[] Documented(string model) => DocumentedRows.Value.Single(cells => cells[0] == model)[1..];

    private static readonly Lazy<IReadOnlyList<string[]>> DocumentedRows = new(() =>
    {
        var folders = new[] { RepositoryRoot.Path, Path.Combine(RepositoryRoot.Path, "docs") };
        var lines = folders.Where(Directory.Exists)
            .SelectMany(folder => Directory.GetFiles(folder, "*.md"))
            .Select(File.ReadAllLines)
            .Single(lines => lines.Any(
                line => line.StartsWith("| | weights | KV cache a token | 8 × MI300X 192 GB |", StringComparison.Ordinal)));
        return
        [
            .. lines.SkipWhile(line => !line.StartsWith("| | weights |", StringComparison.Ordinal))
                .Skip(2)
                .TakeWhile(line => line.StartsWith('|'))
                .Select(line => line.Split('|', StringSplitOptions.TrimEntries)[1..^1]),
        ];
    });

    private static string Degree(SizingStatus advice) => advice.TensorParallelSize?.ToString(CultureInfo.InvariantCulture) ?? "-";

    private static SizingStatus Advise(string model, GpuClass gpus, OptimizeFor purpose)
    {
        var shape = PublishedModels.Shape(model);
        return SizingAdvisor.Advise(
            shape, null, new SizingInputs { OptimizeFor = purpose, MaxModelLen = Math.Min(Context, shape.MaxLength) }, [gpus]);
    }
}
