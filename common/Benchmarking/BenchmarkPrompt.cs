namespace Cluster.Common.Benchmarking;

/// <summary>One request of a benchmark.</summary>
/// <param name="TokenIds">The prompt; ids and not text, so that its length is what the dataset says whatever the tokenizer merges.</param>
/// <param name="OutputLength">Maximum number of tokens to generate.</param>
/// <param name="ArrivalSeconds">When a trace says to send it, from the start of the run; null where the benchmark decides.</param>
internal sealed record BenchmarkPrompt(IReadOnlyList<int> TokenIds, int OutputLength, double? ArrivalSeconds = null);
