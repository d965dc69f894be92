using System.Text;
using Cluster.Worker.Engine;

namespace Cluster.Worker.Tests.Engine;

/// <summary>Everything one request produced.</summary>
internal sealed record Generation(int[] TokenIds, string Text, TokenOutput Last, PositionLogprobs[] Logprobs)
{
    public static async Task<Generation> CollectAsync(IAsyncEnumerable<TokenOutput> outputs)
    {
        var tokens = new List<int>();
        var text = new StringBuilder();
        var logprobs = new List<PositionLogprobs>();
        TokenOutput? last = null;
        await foreach (var output in outputs)
        {
            if (last?.FinishReason is not null)
            {
                throw new InvalidOperationException("an output after the last one");
            }

            tokens.AddRange(output.TokenIds);
            text.Append(output.Text);
            logprobs.AddRange(output.Logprobs ?? []);
            last = output;
        }

        return new Generation([.. tokens], text.ToString(), last!, [.. logprobs]);
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
