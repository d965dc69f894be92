using System.Text.Json.Nodes;
using Cluster.Worker.Commands;
using Cluster.Worker.Tests.Models;
using Cluster.Worker.Tests.Serving;

namespace Cluster.Worker.Tests.Commands;

/// <summary><c>generate --prompts-file</c> on the sample model, from the command line to the file of answers.</summary>
public sealed class GenerateManyTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Each_line_is_a_prompt_and_its_answer_is_that_of_transformers()
    {
        // A prompt of several lines would be several prompts.
        var references = HaikuServer.Expected["completions"]!.AsArray()
            .Where(one => !((string)one!["prompt"]!).Contains('\n', StringComparison.Ordinal)).ToList();
        var file = _folder.Write("prompts.txt", string.Join("\n\n", references.Select(one => (string)one!["prompt"]!)) + "\n");

        var answers = await RunAsync(file, "--max-tokens", "6");

        Assert.Equal(references.Count, answers.Count);
        Assert.Equal(Enumerable.Range(0, references.Count), answers.Select(answer => (int)answer["index"]!));
        Assert.All(answers.Zip(references), pair =>
        {
            Assert.Equal((string)pair.Second!["prompt"]!, (string)pair.First["prompt"]!);
            Assert.StartsWith((string)pair.First["text"]!, (string)pair.Second!["text"]!, StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task Lines_of_JSON_are_texts_prompts_and_conversations()
    {
        var reference = HaikuServer.Expected["chat"]![0]!;
        var file = _folder.Write(
            "prompts.jsonl",
            "\"The sea\"\n{\"prompt\": \"The sea\"}\n{\"messages\": [{\"role\": \"user\", \"content\": "
            + "\"Write a haiku about artificial intelligence\"}]}\n{\"messages\": []}\n");

        var answers = await RunAsync(file, "--max-tokens", "64");

        Assert.Equal((string)answers[0]["text"]!, (string)answers[1]["text"]!);
        Assert.Equal((string)reference["text"]!, (string)answers[2]["text"]!);
        Assert.Equal("stop", (string)answers[2]["finish_reason"]!);
        Assert.Contains("'messages' is required", (string)answers[3]["error"]!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{", "line 2: is not valid JSON")]
    [InlineData("{\"prompt\": \"a\", \"max_tokens\": 3}", "line 2: expected a text, or an object with 'prompt' or 'messages'")]
    public void A_file_that_is_wrong_is_told_with_its_line(string line, string message)
    {
        var file = _folder.Write("prompts.jsonl", $"\"a\"\n{line}\n");

        Assert.Contains(
            message, Assert.Throws<FormatException>(() => PromptsFile.Read(file, chat: false)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("generate", "--model", "m")]
    [InlineData("generate", "--model", "m", "--prompt", "a", "--prompts-file", "f")]
    [InlineData("generate", "--model", "m", "--prompt", "a", "--output-file", "f")]
    public async Task Either_a_prompt_or_a_file_is_needed(params string[] arguments) =>
        Assert.Equal(2, await Program.Main(arguments));

    private async Task<IReadOnlyList<JsonNode>> RunAsync(string file, params string[] options)
    {
        var output = Path.Combine(_folder.Path, "out.jsonl");
        Assert.Equal(
            0,
            await Program.Main(
                ["generate", "--model", Fixtures.Haiku, "--prompts-file", file, "-o", output, "--max-num-seqs", "4", .. options]));
        return [.. File.ReadLines(output).Select(line => JsonNode.Parse(line)!)];
    }
}
