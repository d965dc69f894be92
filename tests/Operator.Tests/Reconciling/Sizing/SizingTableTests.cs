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
        var cell = Documented(model)[Array.FindIndex(Machines, m => m.Name == machine)];

        if (advice.TensorParallelSize is null)
        {
            Assert.StartsWith($"{ByteText.Of(advice.Alternatives![^1].MissingBytesPerGpu!.Value)} ", cell, StringComparison.Ordinal);
        }
        else
        {
            Assert.Equal(expected.Replace("/", "; ", StringComparison.Ordinal), cell);
        }
    }

    /// <summary>The cells of a model's row; one row may serve a model in several formats.</summary>
    private static string[] Documented(string model)
    {
        var row = DocumentedRows.Value.Single(cells => cells[0] == model
            || (cells[0].Split(" (") is [var name, var formats] && (model == name || (model.StartsWith(name + " ", StringComparison.Ordinal)
                && formats.Contains(model[(name.Length + 1)..], StringComparison.Ordinal)))));
        return row[1..];
    }

    private static readonly Lazy<IReadOnlyList<string[]>> DocumentedRows = new(() =>
    {
        var folders = new[] { RepositoryRoot.Path, Path.Combine(RepositoryRoot.Path, "docs") };
        var lines = folders.Where(Directory.Exists)
            .SelectMany(folder => Directory.GetFiles(folder, "*.md"))
            .Select(File.ReadAllLines)
            .Single(lines => lines.Any(line => line.StartsWith("| | 8 × MI300X 192 GB |", StringComparison.Ordinal)));
        return
        [
            .. lines.SkipWhile(line => !line.StartsWith("| | 8 × MI300X", StringComparison.Ordinal))
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
