using System.Text.Json;
using Cluster.Common.Benchmarking;
using Cluster.Worker.Tokenization;

namespace Cluster.Worker.Benchmarking.Datasets;

/// <summary>Real conversations: a JSON array of <c>{"conversations": [{"value": prompt}, {"value": answer}, …]}</c>. The first turn is the
/// prompt and the length of the second is how much to generate. Conversations that are too short or too long are left out by vLLM's
/// rules.</summary>
internal static class ShareGptDataset
{
    private const int MinLength = 4;
    private const int MaxPromptLength = 1024;
    private const int MaxTotalLength = 2048;

    /// <param name="outputLength">Tokens to generate instead of the answer's length; null keeps that.</param>
    /// <exception cref="FormatException">Not such a file, or nothing in it can be used.</exception>
    public static IReadOnlyList<BenchmarkPrompt> Read(
        Stream json, string file, int count, int? outputLength, ITokenizer tokenizer, Random random)
    {
        var conversations = Conversations(json, file);
        random.Shuffle(conversations);
        var prompts = new List<BenchmarkPrompt>();
        foreach (var (prompt, answer) in conversations)
        {
            if (prompts.Count == count)
            {
                break;
            }

            // A character gives at most a few tokens and a token is at most some characters: no need to tokenize a book to leave it out.
            if (prompt.Length > 64 * MaxPromptLength || answer.Length > 64 * MaxTotalLength)
            {
                continue;
            }

            var ids = tokenizer.Encode(prompt, addSpecialTokens: true);
            var length = outputLength ?? tokenizer.Encode(answer, addSpecialTokens: false).Count;
            if (ids.Count >= MinLength
                && ids.Count <= MaxPromptLength
                && (outputLength is not null || length >= MinLength)
                && ids.Count + length <= MaxTotalLength)
            {
                prompts.Add(new BenchmarkPrompt(ids, length));
            }
        }

        return prompts.Count > 0
            ? prompts
            : throw new FormatException(
                $"{file}: no conversation of two turns has a prompt of {MinLength} to {MaxPromptLength} tokens and at most "
                + $"{MaxTotalLength} with its answer");
    }

    private static (string Prompt, string Answer)[] Conversations(Stream json, string file)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return
            [
                .. document.RootElement.EnumerateArray()
                    .Select(entry => entry.GetProperty("conversations"))
                    .Where(turns => turns.GetArrayLength() >= 2)
                    .Select(turns => (turns[0].GetProperty("value").GetString() ?? "", turns[1].GetProperty("value").GetString() ?? "")),
            ];
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new FormatException(
                $"{file}: expected a JSON array of {{\"conversations\": [{{\"value\": …}}, …]}}: {exception.Message}", exception);
        }
    }
}
