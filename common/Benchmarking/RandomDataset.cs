namespace Cluster.Common.Benchmarking;

/// <summary>Prompts of random ids: every one is different, so the prefix cache finds nothing.</summary>
/// <param name="vocabulary">Ids to draw from.</param>
internal sealed class RandomDataset(IReadOnlyList<int> vocabulary, Random random)
{
    /// <param name="rangeRatio">0 gives every request the lengths named; r draws each length uniformly from length·(1 - r) to length·(1 +
    /// r).</param>
    public IReadOnlyList<BenchmarkPrompt> Draw(int count, int inputLength, int outputLength, double rangeRatio = 0)
    {
        var prompts = new BenchmarkPrompt[count];
        for (var i = 0; i < count; i++)
        {
            var input = Length(inputLength, rangeRatio);
            var output = Length(outputLength, rangeRatio);
            prompts[i] = new BenchmarkPrompt(Tokens(input), output);
        }

        return prompts;
    }

    public int[] Tokens(int count)
    {
        var ids = new int[count];
        for (var i = 0; i < count; i++)
        {
            ids[i] = vocabulary[random.Next(vocabulary.Count)];
        }

        return ids;
    }

    private int Length(int length, double rangeRatio)
    {
        var low = Math.Max(1, (int)Math.Floor(length * (1 - rangeRatio)));
        var high = Math.Max(low, (int)Math.Ceiling(length * (1 + rangeRatio)));
        return random.Next(low, high + 1);
    }
}
