using Cluster.Common.Benchmarking;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Benchmarking.Datasets;

/// <summary>Which requests a benchmark sends. Made by the bench commands from their options.</summary>
/// <param name="Name">One of <see cref="Names"/>.</param>
/// <param name="Path">The file of the datasets that have one.</param>
internal sealed record DatasetSource(string Name, string? Path, int NumPrompts)
{
    public const string Random = "random";
    public const string ShareGpt = "sharegpt";
    public const string Sonnet = "sonnet";
    public const string Trace = "trace";

    public static readonly string[] Names = [Random, ShareGpt, Sonnet, Trace];

    public int InputLength { get; init; }

    /// <summary>Null lets a ShareGPT conversation's answer decide.</summary>
    public int? OutputLength { get; init; }

    /// <summary>Of sonnet: tokens that all prompts share.</summary>
    public int PrefixLength { get; init; }

    /// <summary>Of random: how far lengths vary, 0 to below 1.</summary>
    public double RangeRatio { get; init; }

    /// <exception cref="FormatException">The file is missing where one is needed, or is not what the dataset's name says.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public IReadOnlyList<BenchmarkPrompt> Read(ITokenizer tokenizer, IReadOnlyList<int> vocabulary, Random random)
    {
        var draw = new RandomDataset(vocabulary, random);
        if (Name == Random)
        {
            return draw.Draw(NumPrompts, InputLength, OutputLength ?? 1, RangeRatio);
        }

        var path = Path ?? throw new FormatException($"--dataset-name {Name} reads a file: name it with --dataset-path");
        if (Name == ShareGpt)
        {
            using var stream = RegularFile.OpenStream(path, FileKind.Dataset);
            return ShareGptDataset.Read(stream, path, NumPrompts, OutputLength, tokenizer, random);
        }

        using StreamReader reader = new(RegularFile.OpenStream(path, FileKind.Dataset));
        return Name == Sonnet
            ? SonnetDataset.Read(reader, path, NumPrompts, InputLength, OutputLength ?? 1, PrefixLength, tokenizer, random)
            : TraceDataset.Read(reader, path, NumPrompts, draw);
    }

    /// <summary>Ids to draw random prompts from: those that stand for text.</summary>
    public static int[] TextTokens(ITokenizer tokenizer, int vocabSize) =>
        [.. Enumerable.Range(0, Math.Min(vocabSize, tokenizer.VocabSize))
            .Where(id => !tokenizer.IsSpecial(id) && tokenizer.IdToToken(id) is not null)];
}
