using System.Text;
using Cluster.Common.Benchmarking;
using Cluster.Worker.Benchmarking;
using Cluster.Worker.Benchmarking.Datasets;
using Cluster.Worker.Tests.Engine;

namespace Cluster.Worker.Tests.Benchmarking;

public sealed class DatasetTests
{
    private static readonly int[] Vocabulary = [3, 5, 7];

    [Fact]
    public void Random_prompts_have_the_lengths_named_and_ids_of_the_vocabulary_only()
    {
        var prompts = new RandomDataset(Vocabulary, new Random(1)).Draw(20, 11, 4);

        Assert.Equal(20, prompts.Count);
        Assert.All(prompts, prompt => Assert.Equal((11, 4, null), (prompt.TokenIds.Count, prompt.OutputLength, prompt.ArrivalSeconds)));
        Assert.All(prompts, prompt => Assert.Subset(Vocabulary.ToHashSet(), prompt.TokenIds.ToHashSet()));
    }

    [Fact]
    public void A_range_ratio_spreads_lengths_over_its_whole_range()
    {
        var prompts = new RandomDataset(Vocabulary, new Random(1)).Draw(2000, 10, 100, rangeRatio: 0.5);

        Assert.Equal(Enumerable.Range(5, 11), prompts.Select(prompt => prompt.TokenIds.Count).Distinct().Order());
        Assert.InRange(prompts.Min(prompt => prompt.OutputLength), 50, 52);
        Assert.InRange(prompts.Max(prompt => prompt.OutputLength), 148, 150);
    }

    [Fact]
    public void A_trace_gives_arrivals_and_lengths_as_written()
    {
        var prompts = Trace("arrival_seconds,prompt_len,output_len\n0.0,3,4\n\n1.25, 10 ,1\n9e1,2,2\n", count: 2);

        Assert.Equal(
            [(0.0, 3, 4), (1.25, 10, 1)],
            prompts.Select(prompt => (prompt.ArrivalSeconds!.Value, prompt.TokenIds.Count, prompt.OutputLength)));
    }

    [Theory]
    [InlineData("1,2", "trace.csv:1")]
    [InlineData("0,1,1\n0,0,1", "trace.csv:2")]
    [InlineData("0,1,99999999999", "trace.csv:1")]
    [InlineData("-1,1,1", "trace.csv:1")]
    [InlineData("NaN,1,1", "trace.csv:1")]
    [InlineData("5,1,1\n4,1,1", "before the line above")]
    [InlineData("", "holds no requests")]
    public void A_wrong_trace_is_refused_by_line(string text, string expected) =>
        Assert.Contains(expected, Assert.Throws<FormatException>(() => Trace(text, count: 10)).Message);

    [Fact]
    public void ShareGpt_takes_first_turns_of_usable_length_and_the_answers_lengths()
    {
        var prompts = ShareGpt(
            """
            [{"conversations": [{"value": "1 2 3 4 5"}, {"value": "6 7 8 9"}]},
             {"conversations": [{"value": "1 2 3"}, {"value": "4 5 6 7"}]},
             {"conversations": [{"value": "1 2 3 4"}, {"value": "5 6 7"}]},
             {"conversations": [{"value": "1 2 3 4"}]},
             {"conversations": [{"value": "9 9 9 9 9 9"}, {"value": "1 2 3 4 5"}, {"value": "1"}]}]
            """,
            outputLength: null);

        Assert.Equal([(5, 4), (6, 5)], prompts.Select(prompt => (prompt.TokenIds.Count, prompt.OutputLength)).Order());
    }

    [Fact]
    public void A_given_output_length_replaces_the_answers()
    {
        var prompts = ShareGpt("""[{"conversations": [{"value": "1 2 3 4"}, {"value": "5"}]}]""", outputLength: 40);

        Assert.Equal(40, Assert.Single(prompts).OutputLength);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[{}]")]
    [InlineData("[1]")]
    [InlineData("[{\"conversations\": [{}, {}]}]")]
    [InlineData("[")]
    [InlineData("[]")]
    public void A_file_that_is_not_ShareGpt_is_refused_by_name(string json) =>
        Assert.Contains("chat.json", Assert.Throws<FormatException>(() => ShareGpt(json, null)).Message);

    [Fact]
    public void Sonnet_prompts_share_a_prefix_and_differ_after_it()
    {
        var poem = string.Concat(Enumerable.Range(0, 40).Select(line => $"line {line:00} of it\n"));
        using var reader = new StringReader(poem);

        var prompts = SonnetDataset.Read(
            reader, "poem.txt", 10, inputLength: 400, outputLength: 9, prefixLength: 200, new ByteTokenizer(), new Random(3));

        var texts = prompts.Select(prompt => new ByteTokenizer().Decode([.. prompt.TokenIds], false)).ToArray();
        Assert.Equal(10, texts.Distinct().Count());
        Assert.All(texts, text => Assert.InRange(text.Length, 400 - 14, 400 + 14));
        Assert.All(texts, text => Assert.Equal(texts[0][..186], text[..186]));
        Assert.All(prompts, prompt => Assert.Equal(9, prompt.OutputLength));
    }

    [Fact]
    public void Sonnet_lengths_that_hold_no_lines_are_refused()
    {
        using var reader = new StringReader("a line\n");

        Assert.Throws<FormatException>(() => SonnetDataset.Read(reader, "poem.txt", 1, 100, 1, 200, new ByteTokenizer(), new Random(3)));
    }

    [Fact]
    public void A_dataset_with_a_file_asks_for_it() =>
        Assert.Contains(
            "--dataset-path",
            Assert.Throws<FormatException>(
                () => new DatasetSource("sonnet", null, 1).Read(new ByteTokenizer(), Vocabulary, new Random(1))).Message);

    private static IReadOnlyList<BenchmarkPrompt> Trace(string text, int count)
    {
        using var reader = new StringReader(text);
        return TraceDataset.Read(reader, "trace.csv", count, new RandomDataset(Vocabulary, new Random(1)));
    }

    private static IReadOnlyList<BenchmarkPrompt> ShareGpt(string json, int? outputLength)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(json));
        return ShareGptDataset.Read(stream, "chat.json", 10, outputLength, new IdTokenizer(100), new Random(1));
    }
}
