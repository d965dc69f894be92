using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Engine;

/// <summary>Everything one request produced.</summary>
internal sealed record Generation(int[] TokenIds, string Text, TokenOutput Last, PositionLogprobs[] Logprobs)
{
    /// <summary>Of the first output.</summary>
    public IReadOnlyList<PromptPosition?>? PromptLogprobs { get; private init; }

    /// <summary>Outputs that had <see cref="PromptLogprobs"/>.</summary>
    public int NumPromptReports { get; private init; }

    /// <summary>Every number of <see cref="PromptLogprobs"/>, to compare.</summary>
    public IEnumerable<(int Rank, TokenLogprob Token)>? PromptNumbers =>
        PromptLogprobs?.SelectMany(
            position =>
                position is null ? [] : position.Logprobs.Top.Append(position.Logprobs.Sampled).Select(token => (position.Rank, token)));

    public static async Task<Generation> CollectAsync(IAsyncEnumerable<TokenOutput> outputs) => (await CollectAllAsync(outputs)).Single();

    /// <summary>By index, what each sequence of a request produced.</summary>
    public static async Task<Generation[]> CollectAllAsync(IAsyncEnumerable<TokenOutput> outputs)
    {
        var generations = new SortedDictionary<int, List<TokenOutput>>();
        await foreach (var output in outputs)
        {
            generations.TryAdd(output.Index, []);
            var own = generations[output.Index];
            if (own.Count > 0 && own[^1].FinishReason is not null)
            {
                throw new InvalidOperationException("an output after the last one");
            }

            own.Add(output);
        }

        if (!generations.Keys.SequenceEqual(Enumerable.Range(0, generations.Count)))
        {
            throw new InvalidOperationException($"outputs are numbered {string.Join(' ', generations.Keys)}");
        }

        return [.. generations.Values.Select(own => new Generation(
            [.. own.SelectMany(output => output.TokenIds)],
            string.Concat(own.Select(output => output.Text)),
            own[^1],
            [.. own.SelectMany(output => output.Logprobs ?? [])])
            {
                PromptLogprobs = own[0].PromptLogprobs,
                NumPromptReports = own.Count(output => output.PromptLogprobs is not null)
            })];
    }

    /// <summary>What plain greedy decoding of a context gives, without any engine.</summary>
    public static int[] Greedy(int vocabSize, IEnumerable<int> prompt, int numTokens)
    {
        var context = prompt.ToList();
        var row = new float[vocabSize];
        for (var i = 0; i < numTokens; i++)
        {
            FakeModelRunner.Logits([.. context], row);
            context.Add(Array.IndexOf(row, row.Max()));
        }

        return [.. context.TakeLast(numTokens)];
    }
}
