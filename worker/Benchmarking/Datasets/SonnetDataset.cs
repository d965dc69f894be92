using Cluster.Common.Benchmarking;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Benchmarking.Datasets;

/// <summary>Prompts that begin alike: an instruction and the same first lines of a poem for all, then lines drawn at random for each. Shows
/// what prefix caching is worth.</summary>
internal static class SonnetDataset
{
    private const string Instruction = "Pick as many lines as you can from these poem lines:\n";

    /// <param name="inputLength">Tokens of a prompt, met to within a line.</param>
    /// <param name="prefixLength">Tokens that all prompts share, likewise.</param>
    /// <exception cref="FormatException">The file is empty, or the lengths leave no room for lines.</exception>
    public static IReadOnlyList<BenchmarkPrompt> Read(
        TextReader reader, string file, int count, int inputLength, int outputLength, int prefixLength, ITokenizer tokenizer, Random random)
    {
        var lines = new List<IReadOnlyList<int>>();
        while (reader.ReadLine() is { } line)
        {
            if (line.Length > 0)
            {
                lines.Add(tokenizer.Encode(line + "\n", addSpecialTokens: false));
            }
        }

        if (lines.Count == 0)
        {
            throw new FormatException($"{file}: holds no lines");
        }

        var shared = new List<int>(tokenizer.Encode(Instruction, addSpecialTokens: true));
        var instructionLength = shared.Count;
        if (inputLength < instructionLength || prefixLength > inputLength)
        {
            throw new FormatException(
                $"sonnet prompts of {inputLength} tokens cannot hold the instruction's {instructionLength} and a shared prefix of "
                + $"{prefixLength}; raise --sonnet-input-len or lower --sonnet-prefix-len");
        }

        var average = lines.Average(line => line.Count);
        var numLines = (int)Math.Round((inputLength - instructionLength) / average);
        var numShared = Math.Min(numLines, (int)Math.Round(Math.Max(0, prefixLength - instructionLength) / average));
        for (var i = 0; i < numShared; i++)
        {
            shared.AddRange(lines[i % lines.Count]);
        }

        var prompts = new BenchmarkPrompt[count];
        for (var i = 0; i < count; i++)
        {
            var ids = new List<int>(shared);
            for (var line = numShared; line < numLines; line++)
            {
                ids.AddRange(lines[random.Next(lines.Count)]);
            }

            prompts[i] = new BenchmarkPrompt(ids, outputLength);
        }

        return prompts;
    }
}
